import{a,b,c,d}from"./chunk-SKFTZNU5.js";import"./chunk-X2QKXK5V.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
