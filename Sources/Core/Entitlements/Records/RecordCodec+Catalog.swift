package import MeteringModel

extension RecordCodec {
    /// The catalog that records make: definitions as their last change leaves them, plans in their
    /// latest version, all sorted by key.
    ///
    /// `pastPlans` holds the earlier versions, and every version of a plan that is gone, for what
    /// was bought while it was there. The catalog has no customers.
    /// - Parameter histories: in any order; records of customers are passed over.
    /// - Throws: what is wrong with a record; the path begins with its kind and id.
    package static func catalog(
        of histories: some Sequence<RecordHistory>
    ) throws(FieldProblem) -> Catalog {
        var catalog = Catalog()
        var plans: [RecordHistory] = []
        var addOns: [(RecordHistory, JSONValue)] = []
        for history in histories {
            if history.kind == .plan { plans.append(history) }
            guard let document = history.latest else { continue }
            switch history.kind {
            case .product:
                catalog.products.append(
                    try read(history) { () throws(FieldProblem) in
                        try product(document)
                    })
            case .meter:
                catalog.meters.append(
                    try read(history) { () throws(FieldProblem) in
                        try meter(document)
                    })
            case .feature:
                catalog.features.append(
                    try read(history) { () throws(FieldProblem) in
                        try feature(document)
                    })
            case .integration where history.id == "stripe":
                catalog.stripe = try read(history) { () throws(FieldProblem) in
                    try stripe(document)
                }
            case .addOn: addOns.append((history, document))
            case .plan, .integration, .customer, .subscription, .override, .grant, .suspension,
                .revocation, .seat, .credential, .alertEndpoint, .signal, .correction:
                break
            }
        }
        let context = CodecContext(
            scales: CodecContext.scales(catalog.meters, catalog.features))
        for (history, document) in addOns {
            catalog.addOns.append(
                try read(history) { () throws(FieldProblem) in
                    try addOn(document, context)
                })
        }
        for history in plans {
            guard let document = history.steps.last(where: { $0.document != nil })?.document else {
                continue
            }
            let plan = try read(history) { () throws(FieldProblem) in
                try storedPlan(document, context)
            }
            let isGone = history.latest == nil
            catalog.pastPlans += isGone ? plan.versions : plan.versions.dropLast()
            if !isGone { catalog.plans.append(plan.latest) }
        }
        catalog.products.sort { $0.key < $1.key }
        catalog.meters.sort { $0.key < $1.key }
        catalog.features.sort { $0.key < $1.key }
        catalog.addOns.sort { $0.key < $1.key }
        catalog.plans.sort { $0.key < $1.key }
        catalog.pastPlans.sort { ($0.key, $0.version) < ($1.key, $1.version) }
        return catalog
    }

    private static func read<Value>(
        _ history: RecordHistory, _ body: () throws(FieldProblem) -> Value
    ) throws(FieldProblem) -> Value {
        do {
            return try body()
        } catch {
            var problem = error
            problem.path = [history.kind.rawValue, history.id] + problem.path
            throw problem
        }
    }

    /// A whole catalog document: the sections of the YAML file, as JSON.
    /// - Returns: the catalog, with one item for each of the document only if there is no problem;
    ///   all problems, up to a bound, and how many there are beyond it.
    package static func catalog(
        document: JSONValue, format: CodecContext.Format, zones: CodecContext.ZoneSource?
    ) -> (catalog: Catalog, problems: [FieldProblem], omittedCount: Int) {
        var reader = RecordReader(CodecContext(zones: zones, format: format))
        let catalog = reader.catalog(document)
        return (catalog, reader.problems, reader.omittedCount)
    }

    /// The document that `catalog(document:)` reads as this catalog; `pastPlans` are not part of it.
    package static func encode(_ catalog: Catalog) -> JSONValue {
        let context = CodecContext(catalog: catalog)
        return .members([
            "products": .array(catalog.products.map { encode($0) }),
            "meters": .array(catalog.meters.map { encode($0) }),
            "features": .array(catalog.features.map { encode($0) }),
            "plans": .array(catalog.plans.map { encode($0, context) }),
            "add_ons": .array(catalog.addOns.map { encode($0, context) }),
            "stripe": catalog.stripe.map { encode($0) },
            "customers": .array(catalog.customers.map { encode($0) }),
        ])
    }
}

extension RecordReader {
    fileprivate static let catalogMembers = [
        "products", "meters", "features", "plans", "add_ons", "stripe", "customers",
    ]

    fileprivate mutating func catalog(_ document: JSONValue) -> Catalog {
        var catalog = Catalog()
        guard var members = open(document, "a catalog") else { return catalog }
        catalog.products = list("products", in: &members) { $0.product($1) }
        catalog.meters = list("meters", in: &members) { $0.meter($1) }
        catalog.features = list("features", in: &members) { $0.feature($1) }
        // The rest is read as its features and their meters say.
        context.features = Dictionary(catalog.features.map { ($0.key, $0) }) { first, _ in first }
        context.scales = CodecContext.scales(catalog.meters, catalog.features)
        catalog.plans = list("plans", in: &members) { $0.plan($1) }
        catalog.addOns = list("add_ons", in: &members) { $0.addOn($1) }
        if let mapping = members.take("stripe") {
            catalog.stripe = within("stripe") { $0.stripe(mapping) }
        }
        catalog.customers = list("customers", in: &members) { $0.customerDefinition($1) }
        close(members, known: Self.catalogMembers)
        return catalog
    }
}
