import{a,b}from"./chunk-RHMHFUY5.js";import"./chunk-X2QKXK5V.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
