import Entitlements
import MeteringModel
import Testing
import YAMLCatalog

@Suite struct RecordCodecTests {
    static let seeds = Array(UInt64(1)...60)

    // MARK: what is written is read

    @Test(arguments: seeds)
    func everyRecordReadsAsItself(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let catalog = random.catalog()
        var context = CodecContext(catalog: catalog)
        let seats = catalog.features.filter { $0.type == .seat }.map(\.key)
        for _ in 0..<5 {
            let customer = random.recorded(random.profile(), isCustomer: true)
            #expect(try RecordCodec.customer(RecordCodec.encode(customer), context) == customer)
            let bought = random.recorded(random.subscription(seats))
            #expect(try RecordCodec.subscription(RecordCodec.encode(bought), context) == bought)
            let start = random.time()
            let suspension = random.recorded(
                SuspensionTerms(
                    product: random.maybe("p"), start: start, end: random.after(start), reason: "r"
                ))
            #expect(
                try RecordCodec.suspension(RecordCodec.encode(suspension), context) == suspension)
            let revocation = random.recorded(
                RevocationTerms(product: "p", start: start, end: random.after(start), reason: "r"))
            #expect(
                try RecordCodec.revocation(RecordCodec.encode(revocation), context) == revocation)
        }
        for feature in catalog.features {
            let override = random.recorded(random.override(feature))
            let document = RecordCodec.encode(override, context)
            #expect(try RecordCodec.override(document, context) == override)
            if feature.type == .metered {
                let grant = random.recorded(random.grant(feature.key))
                let document = RecordCodec.encode(grant, context)
                #expect(try RecordCodec.grant(document, context) == grant)
            }
        }
        // Stored documents say by their form what they are of.
        context.features = nil
        for feature in catalog.features {
            let override = random.recorded(random.override(feature))
            let document = RecordCodec.encode(override, context)
            #expect(try RecordCodec.override(document, context) == override)
        }
    }

    @Test(arguments: seeds)
    func everyDefinitionReadsAsItself(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let catalog = random.catalog()
        let context = CodecContext(catalog: catalog)
        for product in catalog.products {
            #expect(try RecordCodec.product(RecordCodec.encode(product)) == product)
        }
        for meter in catalog.meters {
            #expect(try RecordCodec.meter(RecordCodec.encode(meter)) == meter)
        }
        for feature in catalog.features {
            #expect(try RecordCodec.feature(RecordCodec.encode(feature)) == feature)
        }
        for plan in catalog.plans {
            let document = RecordCodec.encode(plan, context)
            #expect(try RecordCodec.plan(document, context) == plan)
            #expect(try RecordCodec.normalize(.plan, document, context) == document)
            var stored = StoredPlan(plan)
            #expect(!stored.put(plan) && stored.versions.count == 1)
            var other = plan
            other.entitlements["extra"] = .boolean(true)
            #expect(stored.put(other) && stored.latest.version == 2)
            #expect(
                try RecordCodec.storedPlan(RecordCodec.encode(stored, context), context) == stored)
        }
        for addOn in catalog.addOns {
            #expect(try RecordCodec.addOn(RecordCodec.encode(addOn, context), context) == addOn)
        }
        let stripe = random.stripe()
        #expect(try RecordCodec.stripe(RecordCodec.encode(stripe)) == stripe)
        let seat = SeatRecord(
            customer: "a", feature: "b", holder: "c:d", assignedAt: Timestamp(seconds: 5))
        #expect(try RecordCodec.seat(RecordCodec.encode(seat)) == seat)
        #expect(seat.id == "1:a1:b3:c:d")
    }

    @Test(arguments: seeds)
    func everyCatalogReadsAsItself(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let catalog = random.catalog()
        let read = RecordCodec.catalog(
            document: RecordCodec.encode(catalog), format: .json, zones: ZoneFiles.find)
        #expect(read.problems.isEmpty && read.catalog == catalog, "\(read.problems)")
        let yaml = YAMLCatalog.render(catalog)
        #expect(try YAMLCatalog.parse(yaml) == catalog, "\(yaml)")
        // The text is canonical: what is read from it is written as it was.
        #expect(YAMLCatalog.render(try YAMLCatalog.parse(yaml)) == yaml)
        #expect(CatalogDiff.lines(from: catalog, to: try YAMLCatalog.parse(yaml)) == [])
    }

    /// What the audit log keeps went through text.
    @Test func documentsSurviveTheirText() throws {
        var random = RandomCatalog(seed: 4)
        for _ in 0..<50 {
            let document = RecordCodec.encode(random.catalog())
            #expect(try JSONParser.parse(document.canonicalText) == document)
        }
    }

    // MARK: times

    static let berlin = CodecContext(
        zone: (try? ZoneFiles.load("Europe/Berlin")) ?? .utc,
        defaultStart: Timestamp(microseconds: 1_769_814_000_500_000))

    @Test func datesAreTheCustomersOwn() throws {
        let terms = try RecordCodec.subscription(
            json(
                #"{"plan":"pro","start":"2026-03-29","end":"2026-03-29","anchor":"2026-10-25T02:30:15"}"#
            ), Self.berlin
        ).terms
        #expect(terms.start.rfc3339() == "2026-03-28T23:00:00Z")
        // The end of a day is the next one's midnight: that day had 23 hours.
        #expect(terms.end?.rfc3339() == "2026-03-29T22:00:00Z")
        // Of the two, the first.
        #expect(terms.anchor?.rfc3339() == "2026-10-25T00:30:15Z")
    }

    @Test func instantsAreKeptInWholeSeconds() throws {
        let terms = try RecordCodec.subscription(
            json(#"{"plan":"pro","end":"2026-12-31T10:00:00.999+01:00"}"#), Self.berlin
        ).terms
        #expect(terms.start == Timestamp(seconds: 1_769_814_000))
        #expect(terms.end?.rfc3339() == "2026-12-31T09:00:00Z")
    }

    @Test func theLastDayOfAllCanBeWritten() throws {
        let terms = try RecordCodec.grant(
            json(#"{"feature":"t","amount":1,"expires":"9999-12-31","reason":"r"}"#), Self.berlin
        ).terms
        let again = try RecordCodec.grant(
            RecordCodec.encode(Recorded(id: nil, terms: terms), Self.berlin), Self.berlin)
        #expect(again.terms == terms && terms.expires != nil)
    }

    @Test func aNormalFormDoesNotDependOnWhenItIsRead() throws {
        let user = json(#"{"plan":"pro","end":"2026-12-31","add_ons":[{"key":"more"}]}"#)
        let stored = try RecordCodec.normalize(.subscription, user, Self.berlin)
        #expect(
            stored.canonicalText
                == #"{"add_ons":["more"],"end":"2026-12-31T23:00:00Z","plan":"pro","start":"2026-01-30T23:00:00Z"}"#
        )
        #expect(try RecordCodec.normalize(.subscription, stored, CodecContext()) == stored)
    }

    // MARK: patches

    @Test(arguments: seeds)
    func aPatchMakesOneDocumentOfAnother(seed: UInt64) throws {
        var random = RandomCatalog(seed: seed)
        let documents = (0..<6).map { _ in
            RecordCodec.encode(random.recorded(random.profile(), isCustomer: true))
        }
        for old in documents {
            #expect(RecordCodec.patch(from: old, to: old) == nil)
            #expect(RecordCodec.patch(from: old, to: nil) == .null)
            for new in documents {
                let patch = RecordCodec.patch(from: old, to: new)
                #expect(patch.map { old.merging($0) } ?? old == new)
            }
            let first = RecordCodec.patch(from: nil, to: old) ?? .null
            #expect(JSONValue.object([:]).merging(first) == old)
        }
    }
}

func json(_ text: String) -> JSONValue { (try? JSONParser.parse(text)) ?? .null }
