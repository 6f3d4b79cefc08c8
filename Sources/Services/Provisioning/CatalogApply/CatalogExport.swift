import Entitlements
import MeteringModel
import MeteringPorts

/// Writes a catalog from the records.
struct CatalogExport {
    private let draft: ControlDraft
    private let codec: CodecContext

    init(_ draft: ControlDraft) {
        self.draft = draft
        codec = CodecContext(
            scales: CodecContext.scales(draft.definitions.meters, draft.definitions.features))
    }

    /// - Parameter includesAll: whether customers come along that no document manages.
    func catalog(includesAll: Bool) throws(ControlProblem) -> Catalog {
        var catalog = draft.definitions
        catalog.pastPlans = []
        for index in catalog.plans.indices { catalog.plans[index].version = 0 }
        var failure: ControlProblem?
        var customers: [CustomerDefinition] = []
        do throws(ControlStoreError) {
            try draft.store.scanContracts { id, histories in
                guard failure == nil else { return }
                do throws(ControlProblem) {
                    let customer = try customer(id, histories, includesAll: includesAll)
                    if let customer { customers.append(customer) }
                } catch { failure = error }
            }
        } catch {
            throw .store(error)
        }
        if let failure { throw failure }
        catalog.customers = customers
        return catalog
    }

    /// A customer as it is now.
    /// - Returns: nil when it is not there, or is not a document's and not all are wanted.
    func customer(
        _ id: CustomerID, _ histories: [RecordHistory], includesAll: Bool
    ) throws(ControlProblem) -> CustomerDefinition? {
        guard let record = histories.first(where: { $0.kind == .customer }),
            let document = record.document(at: draft.now)
        else { return nil }
        let isOurs = document["managed_by"]?.text == CatalogApplication.manager
        guard includesAll || isOurs else { return nil }
        do throws(FieldProblem) {
            var definition = CustomerDefinition(
                id: id, profile: try RecordCodec.customer(document, codec).terms)
            for history in histories where history.kind == .subscription {
                guard let document = history.document(at: draft.now) else { continue }
                let isOurs = document["managed_by"]?.text == CatalogApplication.manager
                guard includesAll || isOurs else { continue }
                definition.subscriptions.append(
                    try subscription(history.id, of: id, document))
            }
            definition.subscriptions.sort {
                ($0.terms.start, $0.id ?? "") < ($1.terms.start, $1.id ?? "")
            }
            return definition
        } catch {
            throw .field(error)
        }
    }

    /// Without the id and version that it has anyway.
    private func subscription(
        _ id: String, of customer: CustomerID, _ document: JSONValue
    ) throws(FieldProblem) -> CustomerDefinition.Subscription {
        var terms = try RecordCodec.subscription(document, codec).terms
        let plan = draft.definitions.plans.first { $0.key == terms.plan }
        if plan?.version == terms.planVersion { terms.planVersion = 0 }
        let usual = CatalogApplication.subscriptionID(customer, plan?.product ?? .default)
        return .init(id: id == usual ? nil : id, terms: terms)
    }

    /// What a document names, for telling whether it names everything.
    static func names(in catalog: Catalog) -> Set<String> {
        var names: Set<String> = []
        names.formUnion(catalog.products.map { "product \($0.key)" })
        names.formUnion(catalog.meters.map { "meter \($0.key)" })
        names.formUnion(catalog.features.map { "feature \($0.key)" })
        names.formUnion(catalog.plans.map { "plan \($0.key)" })
        names.formUnion(catalog.addOns.map { "add-on \($0.key)" })
        names.formUnion(catalog.stripe == nil ? [] : ["stripe"])
        for customer in catalog.customers {
            names.insert("customer \(customer.id)")
            // Which ids are left out depends on plans; their number does not.
            names.insert("customer \(customer.id): \(customer.subscriptions.count)")
        }
        return names
    }
}
