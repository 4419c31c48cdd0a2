import{a,b,c,d}from"./chunk-QFNTDMJK.js";import"./chunk-C4RYHXAS.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
