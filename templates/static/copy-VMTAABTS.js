import{a,b}from"./chunk-PHTJ6XEI.js";import"./chunk-UWV5WRAM.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
