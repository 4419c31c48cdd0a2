import{d as a,e as b,f as c}from"./chunk-SRKVUSO5.js";import"./chunk-SQE76S5B.js";export{c as forgetAll,a as keepSeed,b as seedOf};
