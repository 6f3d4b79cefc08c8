package import Entitlements
package import MeteringModel
package import MeteringPorts

/// How catalogs are written down. The service knows no language itself: it is given one.
package struct CatalogLanguage: Sendable {
    /// A document that was read.
    package struct Document {
        package var catalog: Catalog
        /// Finds the places of what is wrong with what the parts mean together.
        package var problems: (CatalogIssues) -> CatalogProblems
        package init(
            catalog: Catalog, problems: @escaping (CatalogIssues) -> CatalogProblems
        ) {
            self.catalog = catalog
            self.problems = problems
        }
    }
    package typealias Reader = @Sendable (String) throws(CatalogProblems) -> Document

    package var read: Reader
    /// The document that reads as a catalog.
    package var render: @Sendable (Catalog) -> String

    package init(read: @escaping Reader, render: @escaping @Sendable (Catalog) -> String) {
        self.read = read
        self.render = render
    }
}
