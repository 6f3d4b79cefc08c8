import Entitlements
import MeteringModel
import MeteringPorts

/// The customers of a document as they are to be: with the ids of their subscriptions, and with what
/// other systems added to them since.
struct CatalogTargets {
    private(set) var customers: [CustomerDefinition] = []
    /// Those of the document's customers that are there already, as they are.
    private(set) var known: [CustomerID: JSONValue] = [:]
    /// Ids of the document's subscriptions.
    private(set) var subscriptions: Set<String> = []

    init(_ document: Catalog, _ draft: ControlDraft) throws(ControlProblem) {
        let codec = draft.codec()
        let products = Dictionary(
            (draft.definitions.plans + document.plans).map { ($0.key, $0.product) }
        ) { _, last in last }
        for wanted in document.customers {
            var customer = wanted
            if let before = try draft.document(.customer, customer.id.rawValue, at: draft.now) {
                known[customer.id] = before
                let profile: CustomerProfile
                do throws(FieldProblem) {
                    profile = try RecordCodec.customer(before, codec).terms
                } catch {
                    throw .field(error)
                }
                // A document does not know what Stripe and others note; what it says comes first.
                customer.profile.externalIDs.merge(profile.externalIDs) { own, _ in own }
                customer.profile.metadata.merge(profile.metadata) { own, _ in own }
            }
            for index in customer.subscriptions.indices {
                let product = products[customer.subscriptions[index].terms.plan] ?? .default
                let id =
                    customer.subscriptions[index].id
                    ?? CatalogApplication.subscriptionID(customer.id, product)
                customer.subscriptions[index].id = id
                subscriptions.insert(id)
            }
            customers.append(customer)
        }
    }
}
