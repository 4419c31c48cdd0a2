import{a,b}from"./chunk-LPGZGQU3.js";import"./chunk-PF54WE4G.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
