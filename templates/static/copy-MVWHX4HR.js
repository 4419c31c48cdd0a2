import{a,b}from"./chunk-A4ZUMLMR.js";import"./chunk-7MDROPLI.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
