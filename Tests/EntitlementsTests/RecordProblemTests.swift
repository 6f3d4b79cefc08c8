import Entitlements
import MeteringModel
import Testing

/// What callers get wrong, and how they are told.
@Suite struct RecordProblemTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var kind: RecordKind
        var document: String
        var code: FieldProblem.Code
        var field: String
        var part: String
        init(
            _ kind: RecordKind, _ document: String, _ code: FieldProblem.Code, _ field: String,
            _ part: String = ""
        ) {
            self.kind = kind
            self.document = document
            self.code = code
            self.field = field
            self.part = part
        }
        var testDescription: String { "\(kind.rawValue) \(document)" }
    }

    static let context = CodecContext(
        features: [
            "tokens": .init(key: "tokens", type: .metered, meter: "t"),
            "sso": .init(key: "sso", type: .boolean), "region": .init(key: "region", type: .static),
            "seats": .init(key: "seats", type: .seat),
        ], scales: ["tokens": 2], defaultStart: Timestamp(seconds: 0))

    static let cases: [Case] = [
        Case(.customer, "[]", .invalidType, "", "expected an object for a customer, found a list"),
        Case(.customer, #"{"id":""}"#, .invalidID, "id", "is empty"),
        Case(.customer, #"{"id":"a\u0007"}"#, .invalidID, "id", "control"),
        Case(.customer, #"{"id":"a#sandbox"}"#, .invalidID, "id", "#sandbox"),
        Case(.customer, #"{"id":5}"#, .invalidType, "id", "expected text for id, found 5"),
        Case(.customer, #"{"nme":"x"}"#, .unknownMember, "nme", "did you mean \"name\"?"),
        Case(.customer, #"{"subjects":["a",{}]}"#, .missing, "subjects[1]", "needs \"id\""),
        Case(.customer, #"{"metadata":{"a":5}}"#, .invalidType, "metadata.a"),
        Case(.customer, #"{"metadata":{"":"x"}}"#, .invalidName, "metadata."),
        Case(.customer, #"{"inherits":"yes"}"#, .invalidType, "inherits", "true or false"),
        Case(
            .subscription, #"{"plan":"p","start":"2026-01-02","end":"2025-01-01"}"#,
            .endBeforeStart, "end"),
        Case(
            .subscription, #"{"plan":"p","start":"2026-01-02","trial_end":"2025-01-01"}"#,
            .endBeforeStart, "trial_end"),
        Case(.subscription, #"{"start":"2026-01-02"}"#, .missing, "", "needs \"plan\""),
        Case(.subscription, #"{"plan":"p","start":"tomorrow"}"#, .invalidTime, "start"),
        Case(.subscription, #"{"plan":"p","start":"2026-02-30"}"#, .invalidTime, "start"),
        Case(.subscription, #"{"plan":"p","start":1769814000}"#, .invalidTime, "start"),
        Case(.subscription, #"{"plan":"p","start":"2026-01-31 09:00"}"#, .invalidTime, "start"),
        Case(.subscription, #"{"plan":"p","start":"2026-01-31T9:00"}"#, .invalidTime, "start"),
        Case(
            .subscription, #"{"plan":"p","add_ons":[{"key":"a","quantity":0}]}"#, .invalidValue,
            "add_ons[0].quantity"),
        Case(.subscription, #"{"plan":"p","seats":{"seats":-1}}"#, .negativeLimit, "seats.seats"),
        Case(
            .subscription, #"{"plan":"p","seats":{"seat":1}}"#, .unknownFeature, "seats.seat",
            "did you mean \"seats\"?"),
        Case(
            .subscription, #"{"plan":"p","renewal":"auto"}"#, .invalidValue, "renewal",
            "one of automatic"),
        Case(
            .override, #"{"feature":"tokns","value":{"limit":1},"reason":"r"}"#, .unknownFeature,
            "feature", "did you mean \"tokens\"?"),
        Case(.override, #"{"feature":"sso","value":true}"#, .missing, "", "needs \"reason\""),
        Case(.override, #"{"feature":"sso","value":true,"reason":""}"#, .missing, "reason"),
        Case(.override, #"{"feature":"sso","value":1,"reason":"r"}"#, .invalidType, "value"),
        Case(
            .override, #"{"feature":"tokens","value":{},"reason":"r"}"#, .missing, "value",
            "changes nothing"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":null},"reason":"r"}"#, .missing,
            "value", "changes nothing"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":-1},"reason":"r"}"#, .negativeLimit,
            "value.limit", "write limit: unlimited"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":-2},"reason":"r"}"#, .negativeLimit,
            "value.limit"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":"1.005"},"reason":"r"}"#,
            .tooPrecise, "value.limit"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":1e30},"reason":"r"}"#, .tooLarge,
            "value.limit"),
        Case(
            .override, #"{"feature":"tokens","value":{"limit":true},"reason":"r"}"#, .invalidType,
            "value.limit"),
        Case(
            .override, #"{"feature":"seats","value":{"seats":1.5},"reason":"r"}"#, .tooPrecise,
            "value.seats"),
        Case(
            .override, #"{"feature":"tokens","value":{"thresholds":[1,"-5%"]},"reason":"r"}"#,
            .negative, "value.thresholds[1]"),
        Case(
            .override,
            #"{"feature":"tokens","value":{"on_outage":{"allowance":-1}},"reason":"r"}"#,
            .negative, "value.on_outage.allowance"),
        Case(
            .grant, #"{"feature":"sso","amount":1,"reason":"r"}"#, .wrongFeatureType, "feature",
            "is a boolean feature"),
        Case(.grant, #"{"feature":"tokens","reason":"r"}"#, .missing, "", "needs \"amount\""),
        Case(.grant, #"{"feature":"tokens","amount":-5,"reason":"r"}"#, .negative, "amount"),
        Case(
            .grant, #"{"feature":"tokens","amount":5,"rollover":{"min":2,"max":1},"reason":"r"}"#,
            .invalidValue, "rollover.min"),
        Case(.suspension, #"{"start":"2026-01-01"}"#, .missing, "", "needs \"reason\""),
        Case(.revocation, #"{"reason":"r"}"#, .missing, "", "needs \"product\""),
        Case(
            .plan, #"{"key":"p","entitlements":{"tokens":{"limit":null,"period":"day"}}}"#,
            .missing, "entitlements.tokens.limit", "limit is empty"),
        Case(
            .plan, #"{"key":"p","entitlements":{"tokens":{"limit":0}}}"#, .missing,
            "entitlements.tokens", "needs \"period\""),
        Case(
            .plan, #"{"key":"p","entitlements":{"seats":{"seats":5,"heartbeat":"soon"}}}"#,
            .invalidValue, "entitlements.seats.heartbeat"),
        Case(
            .plan, #"{"key":"p","entitlements":{"seats":{"seats":5,"heartbeat":0}}}"#,
            .invalidValue, "entitlements.seats.heartbeat"),
        Case(
            .plan, #"{"key":"p","version":3,"versions":[1,2,3],"nam":"x"}"#, .unknownMember, "nam",
            "did you mean \"name\"?"),
        Case(
            .plan,
            #"{"key":"p","entitlements":{"tokens":{"limit":1,"period":"day","grace":{"days":-1}}}}"#,
            .negative, "entitlements.tokens.grace.days"),
        Case(
            .addOn, #"{"key":"a","entitlements":{"tokens":{"limit":1,"period":"day"}}}"#,
            .unknownMember, "entitlements.tokens.period"),
        Case(.meter, #"{"key":"m","event_type":"e"}"#, .missing, "", "needs \"aggregation\""),
        Case(
            .meter,
            #"{"key":"m","event_type":"e","aggregation":"count","filters":{"a":"1","$.a":"2"}}"#,
            .duplicate, "filters.a"),
        Case(.feature, #"{"key":"f","type":"bool"}"#, .invalidValue, "type"),
        Case(.integration, #"{"prices":{"p":{}}}"#, .invalidValue, "prices.p"),
        Case(
            .integration, #"{"prices":{},"failed_attempts":"many"}"#, .invalidType,
            "failed_attempts"),
        Case(.seat, #"{"customer":"a","feature":"b"}"#, .missing, "", "needs \"holder\""),
    ]

    @Test(arguments: cases)
    func isNamed(_ item: Case) throws {
        let problem = #expect(throws: FieldProblem.self) {
            try RecordCodec.normalize(item.kind, json(item.document), Self.context)
        }
        #expect(problem?.code == item.code && problem?.field == item.field, "\(problem as Any)")
        #expect(problem?.message.contains(item.part) ?? false, "\(problem as Any)")
    }

    @Test func aMistypedNameExplainsAMissingMember() {
        let problem = #expect(throws: FieldProblem.self) {
            try RecordCodec.meter(json(#"{"key":"m","event_type":"e","agregation":"sum"}"#))
        }
        #expect(problem?.code == .unknownMember && problem?.field == "agregation")
    }

    /// Any JSON at all is answered, by a value or by a problem.
    @Test func noDocumentIsTooOdd() {
        let odd: [JSONValue] = [
            .null, .bool(true), .number("-0.0e-400"), .number("1e999999999999"), .string(""),
            .array([]), .array([.null]), .object([:]), .object(["": .null]),
            .object(["a": .array([.object([:])])]),
        ]
        let names = [
            "id", "key", "plan", "start", "end", "feature", "value", "amount", "rollover", "seats",
            "entitlements", "versions", "filters", "group_by", "subjects", "metadata", "add_ons",
            "thresholds", "on_outage", "grace", "prices", "aggregation", "event_type", "type",
        ]
        for kind in RecordKind.allCases {
            for value in odd {
                for name in names {
                    let document = JSONValue.object(
                        Dictionary([(name, value), ("reason", value), ("key", value)]) { $1 })
                    checkStable(kind, document)
                }
                _ = try? RecordCodec.storedPlan(value, Self.context)
                checkStable(kind, value)
            }
        }
    }

    /// What is taken at all has a normal form that is taken as it is.
    private func checkStable(
        _ kind: RecordKind, _ document: JSONValue, _ context: CodecContext = Self.context
    ) {
        guard let normal = try? RecordCodec.normalize(kind, document, context) else { return }
        let again = try? RecordCodec.normalize(kind, normal, context)
        #expect(again == normal)
    }

    /// A right document with one part of it replaced by another value.
    @Test(arguments: RecordCodecTests.seeds)
    func aDocumentThatIsSpoiltInOnePlaceIsAnswered(seed: UInt64) {
        var random = RandomCatalog(seed: seed)
        let catalog = random.catalog()
        let context = CodecContext(catalog: catalog)
        var documents: [(RecordKind, JSONValue)] = [
            (.customer, RecordCodec.encode(random.recorded(random.profile(), isCustomer: true))),
            (.subscription, RecordCodec.encode(random.recorded(random.subscription(["seats"])))),
        ]
        for feature in catalog.features {
            let override = random.recorded(random.override(feature))
            documents.append((.override, RecordCodec.encode(override, context)))
        }
        documents += catalog.plans.map { (.plan, RecordCodec.encode($0, context)) }
        documents += catalog.meters.map { (.meter, RecordCodec.encode($0)) }
        for (kind, document) in documents {
            for _ in 0..<10 { checkStable(kind, spoil(document, &random), context) }
        }
    }

    private func spoil(_ value: JSONValue, _ random: inout RandomCatalog) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && random.below(5) > 0:
            let name = random.one(of: members.keys.sorted())
            members[name] = spoil(members[name] ?? .null, &random)
            return .object(members)
        case .array(var elements) where !elements.isEmpty && random.below(5) > 0:
            let index = random.below(elements.count)
            elements[index] = spoil(elements[index], &random)
            return .array(elements)
        default:
            return random.one(of: [
                .null, .bool(true), .number("-1"), .number("9223372036854775808"),
                .number("1e400"), .number("0.5"), .string(random.anyText()), .array([.null]),
                .object([random.anyText(): .null]), .object(["seats": .string("unlimited")]),
            ])
        }
    }

    @Test func onlyTheFirstProblemsAreKept() {
        let list = JSONValue.array(Array(repeating: .null, count: 1_000))
        let read = RecordCodec.catalog(
            document: .object(["meters": list]), format: .json, zones: nil)
        #expect(read.problems.count == 200 && read.omittedCount == 800)
    }
}
