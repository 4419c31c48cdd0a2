// The words of the browser's modules: the "browser" part of texts/en.json, put in by build.mjs.
declare module "texts" {
  const texts: Record<string, string>;
  export default texts;
}
