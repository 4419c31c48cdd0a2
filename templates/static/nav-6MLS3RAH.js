import{a,b,c,d}from"./chunk-PYHVSAD7.js";import"./chunk-C26QMORL.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
