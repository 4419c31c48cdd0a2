import{a,b}from"./chunk-VOVSI5IU.js";import"./chunk-C26QMORL.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
