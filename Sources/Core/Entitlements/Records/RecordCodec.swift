package import MeteringModel

/// Records between JSON and their terms: the documents of REST bodies, YAML sections, imports and
/// the audit log.
///
/// Reading takes what users write (dates, numbers as texts, short forms); writing makes the one
/// canonical document of a value: times in RFC 3339 UTC, usual values left out. What was written is
/// read back as the same value. Null members count as missing, so that a record's patches can be
/// read without being merged first where there is only one.
package enum RecordCodec {
    // MARK: reading

    package static func customer(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<CustomerProfile> {
        try read(document, context) { $0.customer($1) }
    }

    /// A customer with its subscriptions, as catalog documents and imports write it. Dates are in
    /// the customer's own zone if the context can find it.
    package static func customerDefinition(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> CustomerDefinition {
        try read(document, context) { $0.customerDefinition($1) }
    }

    package static func subscription(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<SubscriptionTerms> {
        try read(document, context) { $0.subscription($1) }
    }

    package static func override(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<OverrideTerms> {
        try read(document, context) { $0.override($1) }
    }

    package static func grant(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<GrantTerms> {
        try read(document, context) { $0.grant($1) }
    }

    package static func suspension(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<SuspensionTerms> {
        try read(document, context) { $0.suspension($1) }
    }

    package static func revocation(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> Recorded<RevocationTerms> {
        try read(document, context) { $0.revocation($1) }
    }

    package static func seat(
        _ document: JSONValue, _ context: CodecContext = CodecContext()
    ) throws(FieldProblem) -> SeatRecord {
        try read(document, context) { $0.seat($1) }
    }

    package static func product(_ document: JSONValue) throws(FieldProblem) -> ProductDefinition {
        try read(document, CodecContext()) { $0.product($1) }
    }

    package static func meter(_ document: JSONValue) throws(FieldProblem) -> MeterDefinition {
        try read(document, CodecContext()) { $0.meter($1) }
    }

    package static func feature(_ document: JSONValue) throws(FieldProblem) -> FeatureDefinition {
        try read(document, CodecContext()) { $0.feature($1) }
    }

    /// A plan as users write it: the content of one version, which is numbered 0.
    package static func plan(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> PlanDefinition {
        try read(document, context) { $0.plan($1) }
    }

    /// A plan as its record holds it. Only the context's scales are used.
    package static func storedPlan(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> StoredPlan {
        try read(document, context.withoutFeatures) { $0.storedPlan($1) }
    }

    package static func addOn(
        _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> AddOnDefinition {
        try read(document, context) { $0.addOn($1) }
    }

    package static func stripe(_ document: JSONValue) throws(FieldProblem) -> StripeMapping {
        try read(document, CodecContext()) { $0.stripe($1) }
    }

    private static func read<Value>(
        _ document: JSONValue, _ context: CodecContext,
        _ body: (inout RecordReader, JSONValue) -> Value?
    ) throws(FieldProblem) -> Value {
        var reader = RecordReader(context)
        let value = body(&reader, document)
        if let problem = reader.problem { throw problem }
        guard let value else {
            throw FieldProblem(path: [], code: .invalidValue, message: "cannot be read")
        }
        return value
    }

    // MARK: normal forms

    /// A user's document as it is stored: dates resolved, defaults that depend on the time filled
    /// in, everything in canonical form. A plan's is the content of one version (`StoredPlan` holds
    /// the versions).
    package static func normalize(
        _ kind: RecordKind, _ document: JSONValue, _ context: CodecContext
    ) throws(FieldProblem) -> JSONValue {
        switch kind {
        case .product: encode(try product(document))
        case .meter: encode(try meter(document))
        case .feature: encode(try feature(document))
        case .plan: encode(try plan(document, context), context)
        case .addOn: encode(try addOn(document, context), context)
        case .integration: encode(try stripe(document))
        case .customer: encode(try customer(document, context))
        case .subscription: encode(try subscription(document, context))
        case .override: encode(try override(document, context), context)
        case .grant: encode(try grant(document, context), context)
        case .suspension: encode(try suspension(document, context))
        case .revocation: encode(try revocation(document, context))
        case .seat: encode(try seat(document, context))
        case .credential, .alertEndpoint, .signal, .correction: document
        }
    }

    /// The patch (RFC 7396) that makes `new` of `old`; nil when they are equal. Null is no document,
    /// as in the audit log.
    package static func patch(from old: JSONValue?, to new: JSONValue?) -> JSONValue? {
        let old = old ?? .null
        let new = new ?? .null
        if old == new { return nil }
        guard case .object(let now) = new else { return new }
        let was = old.object ?? [:]
        var changes: [String: JSONValue] = [:]
        for (name, value) in now {
            if let change = patch(from: was[name], to: value) { changes[name] = change }
        }
        for name in was.keys where now[name] == nil { changes[name] = .null }
        return .object(changes)
    }

    // MARK: times

    /// An instant as people write it: RFC 3339, or a local date-time or date in `zone`. Whole
    /// seconds; fractions are cut off.
    /// - Parameter isEnd: whether a date means the end of that day, not its beginning.
    /// - Returns: nil when the text is nothing of this.
    package static func instant(
        _ text: String, zone: TimeZoneRules, isEnd: Bool = false
    ) -> Timestamp? {
        LocalTime.instant(text, isEnd ? .end : .start, zone)
    }

    // MARK: ids

    /// What is wrong with an id, to be said after its name: `is empty`; nil when it is right.
    package static func problem(ofID id: String) -> String? {
        if id.isEmpty { return "is empty" }
        if id.utf8.count > RecordReader.idBytesMax {
            return "is longer than \(RecordReader.idBytesMax) bytes"
        }
        let hasControl = id.utf8.contains { $0 < 0x20 || $0 == 0x7F }
        return hasControl ? "has control characters" : NameForm.problem(with: id)
    }

    /// The ending of an id that names an environment (`#sandbox`), which no customer's own may have.
    package static func environmentSuffix(of id: String) -> String? {
        guard id.utf8.contains(UInt8(ascii: "#")) else { return nil }
        return Environment.allCases.map { "#\($0.rawValue)" }.first { id.hasSuffix($0) }
    }
}

extension CodecContext {
    /// For stored documents, whose form says what their entitlements are.
    var withoutFeatures: CodecContext {
        var context = self
        context.features = nil
        return context
    }
}
