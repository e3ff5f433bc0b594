/** The package.json of the edition: that of the library with the versions, peers and modules of Effect 4. */
export const manifest = (source, edition, isExcluded) => {
  const { devDependencies: _dev, scripts: _scripts, ...kept } = source
  const sourceOf = (target) => target.replace("./dist/", "src/").replace(/\.js$/, ".ts")
  const included = ([, target]) => !isExcluded(sourceOf(target))
  return {
    ...kept,
    version: `4${source.version.slice(source.version.indexOf("."))}`,
    engines: edition.engines,
    exports: Object.fromEntries(Object.entries(source.exports).filter(included)),
    bin: Object.fromEntries(Object.entries(source.bin).filter(included)),
    files: ["dist", "src"],
    peerDependencies: edition.peerDependencies,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(edition.peerDependencies).filter((name) => name !== "effect").map((
        name
      ) => [name, { optional: true }])
    ),
    dependencies: { ...source.dependencies, ...edition.dependencies }
  }
}
