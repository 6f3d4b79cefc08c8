package import Entitlements
package import MeteringModel
package import MeteringPorts

/// The catalog as a YAML document.
package enum YAMLCatalog {
    /// Finds a time zone by name.
    package typealias ZoneSource = (String) throws(ZoneFileError) -> TimeZoneRules

    /// Reads a document; says nothing yet about what its parts mean together.
    /// - Throws: every problem of form, each with line and column.
    package static func parse(
        _ yaml: String, zone: @escaping ZoneSource = ZoneFiles.load
    ) throws(CatalogProblems) -> Catalog {
        try document(yaml, zone: zone).catalog
    }

    /// The same, but keeps where everything stands, so that issues found later get a line too.
    package static func document(
        _ yaml: String, zone: @escaping ZoneSource = ZoneFiles.load
    ) throws(CatalogProblems) -> CatalogDocument {
        let root = try YAMLSyntax.compose(yaml)
        var reader = CatalogReader(zone: zone)
        reader.read(root)
        if let problems = reader.nodes.problems.error { throw problems }
        return CatalogDocument(catalog: reader.catalog, root: root, zone: zone)
    }

    /// Reads, checks and compiles a document.
    /// - Throws: every problem of form; if there is none, every issue of meaning; each with line
    ///   and column.
    package static func compile(
        yaml: String, revision: Int64, hash: KeyHash, planVersion: (PlanKey) -> Int
    ) throws(CatalogProblems) -> CatalogSnapshot {
        try document(yaml).compile(revision: revision, hash: hash, planVersion: planVersion)
    }
}
