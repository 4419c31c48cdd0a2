import{a,b}from"./chunk-4CYLU6QL.js";import"./chunk-LXIIYFLS.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
