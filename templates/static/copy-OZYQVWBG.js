import{a,b}from"./chunk-L25FWGTZ.js";import"./chunk-DN3OO4K3.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
