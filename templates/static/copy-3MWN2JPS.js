import{a,b}from"./chunk-SCW763R4.js";import"./chunk-UOCY7AY4.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
