import{a,b,c,d}from"./chunk-VPV2ZKIB.js";import"./chunk-UWV5WRAM.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
