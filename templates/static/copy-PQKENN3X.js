import{a,b}from"./chunk-L7FZZGHL.js";import"./chunk-67EVG4TO.js";import"./chunk-SQE76S5B.js";export{a as copy,b as copyText};
