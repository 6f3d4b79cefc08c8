package import Entitlements
package import MeteringModel
package import MeteringPorts
import Yams

/// A catalog that was read, and the place of each of its parts in the text.
package struct CatalogDocument {
    package let catalog: Catalog
    private let root: Node

    init(catalog: Catalog, root: Node) {
        self.catalog = catalog
        self.root = root
    }

    /// Issues of meaning with their places in the text.
    package func problems(for issues: CatalogIssues) -> CatalogProblems {
        var list = ProblemList()
        for issue in issues.issues {
            let found = find(issue.path)
            // A short value is the thing to look at; before a long one, its name is. In a list of
            // entitlements the name says which one is meant.
            let isNamed = found.parent == "entitlements" || found.value.scalar == nil
            let mark = (isNamed ? found.name : nil) ?? found.value
            list.add(mark.mark.map { Place($0) }, issue.message)
        }
        list.omit(issues.omittedCount)
        return list.error ?? CatalogProblems([])
    }

    /// Where a problem of form stands: a wrong name at the name, all else at the value.
    func place(of problem: FieldProblem) -> Place? {
        let found = find(problem.path)
        let isName = problem.code == .unknownMember || problem.code == .invalidName
        return ((isName ? found.name : nil) ?? found.value).mark.map { Place($0) }
    }

    private struct Found {
        var value: Node
        /// Of a mapping's member.
        var name: Node?
        /// The member that the part is in.
        var parent = ""
    }

    /// The part at `path`, or the innermost part around it that the text has.
    private func find(_ path: [String]) -> Found {
        var found = Found(value: root)
        var names = path[...]
        while let name = names.popFirst() {
            switch found.value {
            case .sequence(let items):
                guard let index = Int(name), items.indices.contains(index) else { return found }
                found = Found(value: items[index], parent: found.parent)
            case .mapping(let mapping):
                guard let pair = Self.pair(name, in: mapping, &names) else { return found }
                let at = path.count - names.count - 1
                found = Found(
                    value: pair.value, name: pair.key, parent: at > 0 ? path[at - 1] : "")
            case .scalar, .alias: return found
            }
        }
        return found
    }

    /// By name. Filters, which have no names of their own, are found by their position among the
    /// sorted paths; a customer's only subscription also as the first of its subscriptions.
    private static func pair(
        _ name: String, in mapping: Node.Mapping, _ rest: inout ArraySlice<String>
    ) -> Node.Mapping.Element? {
        if let named = mapping.first(where: { $0.key.scalar?.string == name }) { return named }
        if name == "subscriptions", rest.first == "0",
            let only = mapping.first(where: { $0.key.scalar?.string == "subscription" })
        {
            rest.removeFirst()
            return only
        }
        guard let index = Int(name), mapping.indices.contains(index) else { return nil }
        func path(_ pair: Node.Mapping.Element) -> String {
            let text = pair.key.scalar?.string ?? ""
            return text.hasPrefix("$") ? text : "$." + text
        }
        return mapping.sorted { path($0) < path($1) }[index]
    }
}
