import Entitlements
package import MeteringModel
package import MeteringPorts

/// The catalog as a YAML document.
package enum YAMLCatalog {
    /// Finds a time zone by name.
    package typealias ZoneSource = @Sendable (String) throws(ZoneFileError) -> TimeZoneRules

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
        var converter = NodeConverter()
        let value = converter.value(of: root)
        let read = RecordCodec.catalog(document: value, format: .yaml) {
            name throws(CodecContext.ZoneProblem) in
            do throws(ZoneFileError) {
                return try zone(name)
            } catch {
                throw CodecContext.ZoneProblem(error.description)
            }
        }
        let document = CatalogDocument(catalog: read.catalog, root: root)
        var problems = converter.problems
        for problem in read.problems {
            problems.add(document.place(of: problem), problem.message)
        }
        problems.omit(read.omittedCount)
        if let error = problems.error { throw error }
        return document
    }
}
