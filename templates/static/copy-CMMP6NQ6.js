import{a,b}from"./chunk-BSKEVJLP.js";import"./chunk-4K5YOQ4P.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
