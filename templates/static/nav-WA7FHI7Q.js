import{a,b,c,d}from"./chunk-6I5H5GC2.js";import"./chunk-PF54WE4G.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
