import Entitlements
import MeteringModel
import MeteringPorts

/// Works out on a draft what a catalog document changes.
struct CatalogApplication {
    /// What the records of a document's customers are managed by, and the source of its changes.
    static let manager = "catalog"

    static func subscriptionID(_ customer: CustomerID, _ product: ProductKey) -> String {
        "\(customer):\(product)"
    }

    private let document: Catalog
    private let options: CatalogApplyOptions
    private let isDryRun: Bool
    private var lines: [String] = []

    init(_ document: Catalog, _ options: CatalogApplyOptions, isDryRun: Bool) {
        self.document = document
        self.options = options
        self.isDryRun = isDryRun
    }

    /// - Returns: `lines`, as a plan shows them; `changes`, how many records; `revision`.
    mutating func carryOut(
        on draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        try refuseLostUsage(draft)
        let before = draft
        let export = CatalogExport(before)
        let targets = try CatalogTargets(document, before)
        try putDefinitions(on: &draft)
        var pruning = CatalogPruning(document, targets)
        try putCustomers(targets, on: &draft)
        if options.prunes {
            try pruning.carryOut(on: &draft)
            if !isDryRun { try pruning.requireExpected(draft.context.expectedCount) }
        }
        lines = try diff(before, export, targets, pruning)
        lines += try adoptions(before, targets)
        if options.migrates { lines += try migrate(targets, on: &draft) }
        lines += pruning.notes
        if options.prunes, pruning.count > 0, isDryRun {
            lines.append("  prune removes \(pruning.count): expected_count=\(pruning.count)")
        }
        return ControlAnswer(
            body: .object([
                "lines": .array(lines.map(JSONValue.string)),
                "changes": .integer(draft.changes.count),
                "revision": .integer(draft.changes.last?.sequence ?? draft.base),
            ]))
    }

    // MARK: what no document may do

    /// Usage on record must stay readable.
    private func refuseLostUsage(_ draft: ControlDraft) throws(ControlProblem) {
        for meter in document.meters {
            guard let before = draft.definitions.meters.first(where: { $0.key == meter.key }) else {
                continue
            }
            if before.aggregation == meter.aggregation, before.scale == meter.scale { continue }
            throw .invalid(
                "meter_changed",
                "meter \"\(meter.key)\" has usage on record as \(before.aggregation.rawValue) "
                    + "at scale \(before.scale); give the changed meter a new key",
                field: "meters")
        }
    }

    // MARK: writing

    private func putDefinitions(on draft: inout ControlDraft) throws(ControlProblem) {
        for product in document.products {
            try draft.put(.product, product.key.rawValue, RecordCodec.encode(product))
        }
        for meter in document.meters {
            try draft.put(.meter, meter.key.rawValue, RecordCodec.encode(meter))
        }
        for feature in document.features {
            try draft.put(.feature, feature.key.rawValue, RecordCodec.encode(feature))
        }
        for plan in document.plans { try draft.putPlan(plan) }
        let codec = draft.codec()
        for addOn in document.addOns {
            try draft.put(.addOn, addOn.key.rawValue, RecordCodec.encode(addOn, codec))
        }
        if let stripe = document.stripe {
            try draft.put(.integration, StripeIntake.system, RecordCodec.encode(stripe))
        }
    }

    private func putCustomers(
        _ targets: CatalogTargets, on draft: inout ControlDraft
    ) throws(ControlProblem) {
        for customer in targets.customers {
            try draft.put(
                .customer, customer.id.rawValue, customer: customer.id,
                RecordCodec.encode(
                    Recorded(
                        id: customer.id.rawValue, managedBy: Self.manager,
                        terms: customer.profile)))
            for subscription in customer.subscriptions {
                try put(subscription, subscription.id ?? "", of: customer.id, on: &draft)
            }
        }
    }

    private func put(
        _ subscription: CustomerDefinition.Subscription, _ id: String, of customer: CustomerID,
        on draft: inout ControlDraft
    ) throws(ControlProblem) {
        if let history = try draft.history(.subscription, id), history.customer != customer {
            throw OrderSubscription.taken(.subscription, id, by: history.customer)
        }
        let before = try draft.document(.subscription, id, at: draft.now)
        var terms = subscription.terms
        if terms.planVersion == 0 {
            let isSame = before?["plan"]?.text == terms.plan.rawValue
            if isSame, let pinned = before?["version"]?.integer {
                terms.planVersion = Int(pinned)
            } else {
                terms.planVersion = try draft.requirePlan(terms.plan, field: "customers").version
            }
        }
        let recorded = Recorded(
            id: id, customer: customer, managedBy: Self.manager, terms: terms)
        var document = RecordCodec.encode(recorded)
        if let metadata = before?["metadata"] {
            document = document.setting(["metadata": metadata])
        }
        try draft.put(.subscription, id, customer: customer, document)
    }

    // MARK: telling

    private func diff(
        _ before: ControlDraft, _ export: CatalogExport, _ targets: CatalogTargets,
        _ pruning: CatalogPruning
    ) throws(ControlProblem) -> [String] {
        var old = before.definitions
        old.pastPlans = []
        // What stays although the document does not name it is no change.
        func isShown(_ kind: RecordKind, _ key: String) -> Bool {
            pruning.names(kind, key) || pruning.removes(kind, key)
        }
        old.products.removeAll { !isShown(.product, $0.key.rawValue) }
        old.meters.removeAll { !isShown(.meter, $0.key.rawValue) }
        old.features.removeAll { !isShown(.feature, $0.key.rawValue) }
        old.plans.removeAll { !isShown(.plan, $0.key.rawValue) }
        old.addOns.removeAll { !isShown(.addOn, $0.key.rawValue) }
        if !isShown(.integration, StripeIntake.system) { old.stripe = nil }
        for id in targets.known.keys.sorted() + pruning.customers {
            let histories = try before.records(ofCustomer: id)
            guard var customer = try export.customer(id, histories, includesAll: true) else {
                continue
            }
            for index in customer.subscriptions.indices {
                let plan = customer.subscriptions[index].terms.plan
                let product = before.definitions.plans.first { $0.key == plan }?.product
                customer.subscriptions[index].id =
                    customer.subscriptions[index].id
                    ?? Self.subscriptionID(id, product ?? .default)
            }
            customer.subscriptions.removeAll { subscription in
                let id = subscription.id ?? ""
                return !targets.subscriptions.contains(id) && !pruning.removes(.subscription, id)
            }
            old.customers.append(customer)
        }
        var new = document
        new.customers = targets.customers
        var staying: [PlanKey: Int] = [:]
        if !options.migrates {
            for plan in document.plans {
                let old = before.definitions.plans.first { $0.key == plan.key }
                let digest = old.map { CatalogDiff.contentDigest(of: $0) }
                if digest == nil || digest == CatalogDiff.contentDigest(of: plan) { continue }
                staying[plan.key] = try held(plan.key, before).count
            }
        }
        return CatalogDiff.lines(from: old, to: new) { staying[$0] ?? 0 }
    }

    /// Records of other origin that the document takes over.
    private func adoptions(
        _ before: ControlDraft, _ targets: CatalogTargets
    ) throws(ControlProblem) -> [String] {
        func isOther(_ document: JSONValue) -> Bool {
            document["managed_by"]?.text != Self.manager
        }
        let customers = targets.known.values.count(where: isOther)
        var subscriptions = 0
        for id in targets.subscriptions {
            let document = try before.document(.subscription, id, at: before.now)
            if let document, isOther(document) { subscriptions += 1 }
        }
        return [("customer", customers), ("subscription", subscriptions)]
            .filter { $0.1 > 0 }
            .map { name, count in
                "~ \(Self.grouped(count)) \(name)\(count == 1 ? "" : "s"): "
                    + "now managed by the catalog"
            }
    }

    /// 2014 as 2,014.
    private static func grouped(_ count: Int) -> String {
        count < 1_000
            ? "\(count)"
            : grouped(count / 1_000) + "," + String("\(1_000 + count % 1_000)".dropFirst())
    }

    // MARK: migrating

    /// Subscriptions on versions of a plan, with the version.
    private func held(
        _ plan: PlanKey, _ draft: ControlDraft
    ) throws(ControlProblem) -> [(id: String, version: Int)] {
        var held: [(id: String, version: Int)] = []
        var after: String?
        while true {
            let page: [RecordHistory]
            do throws(ControlStoreError) {
                page = try draft.store.subscriptions(
                    plan: plan, version: nil, after: after, limit: 1_000)
            } catch {
                throw .store(error)
            }
            for record in page {
                // As this draft leaves it: the document may have given it another plan.
                let document = try draft.document(.subscription, record.id, at: draft.now)
                guard let document,
                    document["plan"]?.text == plan.rawValue
                else { continue }
                let end = document["end"]?.text.flatMap { Timestamp(rfc3339: $0) }
                if let end, end <= draft.now { continue }
                let version = document["version"]?.integer.map { Int($0) } ?? 0
                held.append((record.id, version))
            }
            guard page.count == 1_000, let last = page.last else { return held }
            after = last.id
        }
    }

    /// Moves subscriptions on earlier versions to the latest, but for those that the document
    /// itself gives a version.
    /// - Returns: how many, plan by plan.
    private func migrate(
        _ targets: CatalogTargets, on draft: inout ControlDraft
    ) throws(ControlProblem) -> [String] {
        let pinned = Set(
            targets.customers.flatMap(\.subscriptions)
                .filter { $0.terms.planVersion != 0 }.compactMap(\.id))
        var lines: [String] = []
        for plan in document.plans {
            let latest = try draft.requirePlan(plan.key, field: "plans").version
            let behind = try held(plan.key, draft).filter {
                $0.version < latest && !pinned.contains($0.id)
            }
            if behind.isEmpty { continue }
            let who = behind.count == 1 ? "1 subscription" : "\(behind.count) subscriptions"
            lines.append("~ plan \(plan.key): \(who) on earlier versions → version \(latest)")
            for subscription in behind {
                try draft.patch(
                    .subscription, subscription.id,
                    .object(["version": .integer(latest)]))
            }
        }
        return lines
    }
}
