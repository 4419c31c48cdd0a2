import{a,b,c,d}from"./chunk-CSCBANL7.js";import"./chunk-67EVG4TO.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
