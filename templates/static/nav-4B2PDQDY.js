import{a,b,c,d}from"./chunk-UCKEOL4K.js";import"./chunk-UOCY7AY4.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
