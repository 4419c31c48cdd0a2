import{a,b,c,d}from"./chunk-LNQ6P6EK.js";import"./chunk-7MDROPLI.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
