import{a,b}from"./chunk-L35JJHSA.js";import"./chunk-N2HSU5K6.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
