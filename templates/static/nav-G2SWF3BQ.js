import{a,b,c,d}from"./chunk-UWUSL7SS.js";import"./chunk-4K5YOQ4P.js";import"./chunk-SQE76S5B.js";export{d as handles,a as pageEvent,b as startNavigation,c as visit};
