import Entitlements
import MeteringModel
import MeteringPorts

/// Compiles what a document says together with what stays of the records, so that whatever does not
/// fit is found at its place in the text.
struct CatalogRehearsal {
    private let merged: Catalog
    private let draft: ControlDraft
    private let zone: @Sendable (String) -> TimeZoneRules?

    /// The document's parts come first, so that their positions are those in the text.
    init(
        _ document: Catalog, _ draft: ControlDraft,
        _ zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) throws(ControlProblem) {
        let known = draft.definitions
        var merged = document
        merged.products = Self.joined(document.products, known.products, by: \.key)
        merged.meters = Self.joined(document.meters, known.meters, by: \.key)
        merged.features = Self.joined(document.features, known.features, by: \.key)
        merged.plans = Self.joined(document.plans, known.plans, by: \.key)
        merged.addOns = Self.joined(document.addOns, known.addOns, by: \.key)
        merged.stripe = document.stripe ?? known.stripe
        merged.pastPlans = known.pastPlans
        // Latest versions that are about to become past ones may still be named.
        let named = Set(document.plans.map(\.key))
        merged.pastPlans += known.plans.filter { named.contains($0.key) }
        merged.customers += try Self.ancestors(of: document.customers, draft)
        self.merged = merged
        self.draft = draft
        self.zone = zone
    }

    /// Without customers.
    var definitions: Catalog {
        var definitions = merged
        definitions.customers = []
        return definitions
    }

    /// - Parameter problems: finds the places of issues.
    func requireSense(
        _ problems: (CatalogIssues) -> CatalogProblems
    ) throws(CatalogProblems) {
        let result = CatalogSnapshot.compile(
            merged, revision: draft.base, hash: draft.snapshot.hash, zone: zone)
        if case .failure(let issues) = result { throw problems(issues) }
    }

    private static func joined<Item, Key: Hashable>(
        _ first: [Item], _ others: [Item], by key: (Item) -> Key
    ) -> [Item] {
        let names = Set(first.map(key))
        return first + others.filter { !names.contains(key($0)) }
    }

    /// Parents that are there already and that the document does not name.
    private static func ancestors(
        of customers: [CustomerDefinition], _ draft: ControlDraft
    ) throws(ControlProblem) -> [CustomerDefinition] {
        var known = Set(customers.map(\.id))
        var ancestors: [CustomerDefinition] = []
        for customer in customers {
            var next = customer.profile.parent
            while let parent = next, known.insert(parent).inserted {
                next = nil
                guard let document = try draft.document(.customer, parent.rawValue) else {
                    continue
                }
                next = document["parent"]?.text.map { CustomerID($0) }
                ancestors.append(
                    CustomerDefinition(id: parent, profile: CustomerProfile(parent: next)))
            }
        }
        return ancestors
    }
}
