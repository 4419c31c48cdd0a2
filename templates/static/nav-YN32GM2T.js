import{a,b,c,d}from"./chunk-QTZE4WS2.js";import"./chunk-LXIIYFLS.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
