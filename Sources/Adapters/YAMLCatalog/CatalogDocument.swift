package import Entitlements
package import MeteringModel
package import MeteringPorts
import Yams

/// A catalog that was read, and the place of each of its parts in the text.
package struct CatalogDocument {
    package let catalog: Catalog
    private let root: Node
    private let zone: YAMLCatalog.ZoneSource

    init(catalog: Catalog, root: Node, zone: @escaping YAMLCatalog.ZoneSource) {
        self.catalog = catalog
        self.root = root
        self.zone = zone
    }

    /// Checks and compiles the catalog.
    /// - Parameter planVersion: the number of the version that a plan's content is; by now the
    ///   caller can compare `CatalogDiff.contentDigest(of:)` of the plans in `catalog`.
    /// - Throws: every issue, with line and column.
    package func compile(
        revision: Int64, hash: KeyHash, planVersion: (PlanKey) -> Int
    ) throws(CatalogProblems) -> CatalogSnapshot {
        let result = CatalogSnapshot.compile(
            catalog, revision: revision, hash: hash, planVersion: planVersion,
            zone: { try? zone($0) })
        switch result {
        case .success(let snapshot): return snapshot
        case .failure(let issues): throw problems(for: issues)
        }
    }

    /// The issues with their places in the text.
    package func problems(for issues: CatalogIssues) -> CatalogProblems {
        var list = ProblemList()
        for issue in issues.issues {
            list.add(mark(of: issue.path).map { Place($0) }, issue.message)
        }
        list.omit(issues.omittedCount)
        return list.error ?? CatalogProblems([])
    }

    /// Where the part at `path` stands, or the innermost part around it that the text has.
    private func mark(of path: [String]) -> Mark? {
        var node = root
        var mark = root.mark
        for (depth, name) in path.enumerated() {
            switch node {
            case .sequence(let items):
                guard let index = Int(name), items.indices.contains(index) else { return mark }
                node = items[index]
                mark = node.mark
            case .mapping(let mapping):
                guard let pair = Self.pair(name, in: mapping) else { return mark }
                node = pair.value
                // A short value is the thing to look at; before a long one, its name is. In a list
                // of entitlements the name says which one is meant.
                let isNamed = depth > 0 && path[depth - 1] == "entitlements"
                mark = isNamed || node.scalar == nil ? pair.key.mark : node.mark
            case .scalar, .alias: return mark
            }
        }
        return mark
    }

    /// By name; filters, which have no names of their own, by position.
    private static func pair(_ name: String, in mapping: Node.Mapping) -> Node.Mapping.Element? {
        if let named = mapping.first(where: { $0.key.scalar?.string == name }) { return named }
        guard let index = Int(name), mapping.indices.contains(index) else { return nil }
        return mapping[index]
    }
}
