import{a,b}from"./chunk-7YEVV4JK.js";import"./chunk-C4RYHXAS.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
