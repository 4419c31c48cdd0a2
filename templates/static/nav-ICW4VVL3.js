import{a,b,c,d}from"./chunk-GPQV22IV.js";import"./chunk-DN3OO4K3.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
