/** The package.json of the edition: that of the library with the versions, peers and modules of Effect 4. */
export const manifest = (library, edition, isExcluded) => {
  const { devDependencies: _dev, scripts: _scripts, ...kept } = library
  const sourceOf = (target) => target.replace("./dist/", "src/").replace(/\.js$/, ".ts")
  const included = ([, target]) => !isExcluded(sourceOf(target))
  return {
    ...kept,
    version: `4${library.version.slice(library.version.indexOf("."))}`,
    engines: edition.engines,
    exports: Object.fromEntries(Object.entries(library.exports).filter(included)),
    bin: Object.fromEntries(Object.entries(library.bin).filter(included)),
    files: ["dist", "src"],
    peerDependencies: edition.peerDependencies,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(edition.peerDependencies).filter((name) => name !== "effect").map((
        name
      ) => [name, { optional: true }])
    ),
    dependencies: { ...library.dependencies, ...edition.dependencies }
  }
}
