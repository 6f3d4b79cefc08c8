package import Entitlements
package import MeteringModel
package import MeteringPorts

extension ControlDraft {
    /// How documents are read that speak of the catalog's features, dates in a customer's zone.
    package func codec(
        zone rules: TimeZoneRules = .utc, defaultStart: Timestamp? = nil
    ) -> CodecContext {
        let zone = self.zone
        return CodecContext(
            catalog: definitions, zone: rules, defaultStart: defaultStart ?? effectiveAt,
            zones: { (name) throws(CodecContext.ZoneProblem) in
                if let rules = zone(name) { return rules }
                throw CodecContext.ZoneProblem("there is no time zone \"\(name)\" here")
            })
    }

    /// A user's document in the form that is stored.
    package func normalized(
        _ kind: RecordKind, _ document: JSONValue, _ codec: CodecContext
    ) throws(ControlProblem) -> JSONValue {
        if let reason = document["reason"]?.text { try ControlProblem.requireReason(reason) }
        do {
            return try RecordCodec.normalize(kind, document, codec)
        } catch {
            throw .field(error)
        }
    }

    /// Gives a plan other content: a new version, unless the latest says the same.
    /// - Returns: the version in force afterwards.
    @discardableResult
    package mutating func putPlan(
        _ key: PlanKey, _ content: JSONValue
    ) throws(ControlProblem) -> Int {
        let document = content.setting(["key": .string(key.rawValue)])
        do {
            return try putPlan(try RecordCodec.plan(document, codec()))
        } catch let problem as FieldProblem {
            throw .field(problem)
        } catch let problem as ControlProblem {
            throw problem
        } catch {
            throw .invalid("invalid_plan", "the plan cannot be read")
        }
    }

    /// The same from a definition, whose version does not matter.
    @discardableResult
    package mutating func putPlan(
        _ definition: PlanDefinition
    ) throws(ControlProblem) -> Int {
        let context = codec()
        var plan: StoredPlan
        if let document = try document(.plan, definition.key.rawValue) {
            do {
                plan = try RecordCodec.storedPlan(document, context)
            } catch {
                throw .field(error)
            }
            plan.put(definition)
        } else {
            plan = StoredPlan(definition)
        }
        try put(.plan, definition.key.rawValue, RecordCodec.encode(plan, context))
        return plan.latest.version
    }

    /// Brings `definitions` level with a record that was changed.
    mutating func takeDefinition(_ history: RecordHistory) throws(ControlProblem) {
        do {
            try definitions.take(history)
        } catch {
            throw .field(error)
        }
    }
}

extension ControlProblem {
    package static func field(_ problem: FieldProblem) -> ControlProblem {
        var problem = problem
        // A member that is missing has no place of its own: the message names it last, in quotes.
        if problem.code == .missing, problem.message.hasSuffix("\"") {
            let words = problem.message.split(separator: "\"")
            if let name = words.last { problem.path.append(String(name)) }
        }
        return .invalid(
            problem.code.rawValue, problem.message,
            field: problem.path.isEmpty ? nil : problem.field)
    }
}

extension Catalog {
    /// Replaces what one record says.
    fileprivate mutating func take(_ history: RecordHistory) throws(FieldProblem) {
        switch history.kind {
        case .product: products.removeAll { $0.key.rawValue == history.id }
        case .meter: meters.removeAll { $0.key.rawValue == history.id }
        case .feature: features.removeAll { $0.key.rawValue == history.id }
        case .addOn: addOns.removeAll { $0.key.rawValue == history.id }
        case .integration: stripe = history.id == "stripe" ? nil : stripe
        case .plan:
            plans.removeAll { $0.key.rawValue == history.id }
            pastPlans.removeAll { $0.key.rawValue == history.id }
        case .customer, .subscription, .override, .grant, .suspension, .revocation, .seat,
            .credential, .alertEndpoint, .signal, .correction:
            return
        }
        let context = CodecContext(scales: CodecContext.scales(meters, features))
        guard let document = history.latest else {
            try takeVersionsOfGonePlan(history, context)
            return
        }
        switch history.kind {
        case .product: insert(try RecordCodec.product(document), \.products, \.key)
        case .meter: insert(try RecordCodec.meter(document), \.meters, \.key)
        case .feature: insert(try RecordCodec.feature(document), \.features, \.key)
        case .addOn: insert(try RecordCodec.addOn(document, context), \.addOns, \.key)
        case .integration where history.id == "stripe": stripe = try RecordCodec.stripe(document)
        case .plan:
            let plan = try RecordCodec.storedPlan(document, context)
            insert(plan.latest, \.plans, \.key)
            pastPlans += plan.versions.dropLast()
            pastPlans.sort { ($0.key, $0.version) < ($1.key, $1.version) }
        default: return
        }
    }

    /// What was bought of a plan that is gone is still read by it.
    private mutating func takeVersionsOfGonePlan(
        _ history: RecordHistory, _ context: CodecContext
    ) throws(FieldProblem) {
        let last = history.steps.last { $0.document != nil }?.document
        guard history.kind == .plan, let last else { return }
        pastPlans += try RecordCodec.storedPlan(last, context).versions
        pastPlans.sort { ($0.key, $0.version) < ($1.key, $1.version) }
    }

    private mutating func insert<Definition, Key: Comparable>(
        _ definition: Definition, _ list: WritableKeyPath<Catalog, [Definition]>,
        _ key: KeyPath<Definition, Key>
    ) {
        let place =
            self[keyPath: list].firstIndex { $0[keyPath: key] > definition[keyPath: key] }
            ?? self[keyPath: list].endIndex
        self[keyPath: list].insert(definition, at: place)
    }
}
