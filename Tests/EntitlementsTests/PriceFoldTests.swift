import Entitlements
import MeteringModel
import Testing

/// Which price is in force.
@Suite struct PriceFoldTests {
    private static func price(
        _ contract: CustomerContract, at instant: Timestamp = day(10),
        _ change: (inout Catalog) -> Void = { _ in }
    ) throws -> FeaturePrice? {
        let definitions = try PriceCatalog.definitions(change)
        return EntitlementFold.effective(contract, at: instant, definitions)
            .entitlement("tokens")?.price
    }

    @Test func aSubscriptionBringsItsPlansPrice() throws {
        let price = try #require(try Self.price(contract([subscription("pro")])))
        #expect(price.currency == Currency("EUR"))
        #expect(price.source == "plan pro v1")
        #expect(price.price.included == .limit)
    }

    @Test func trialsAndWhatIsOverCostNothing() throws {
        let trial = contract([
            subscription("pro") {
                $0.trialEnd = day(5)
                $0.trialConverts = true
            }
        ])
        #expect(try Self.price(trial, at: day(4)) == nil)
        #expect(try Self.price(trial, at: day(5))?.source == "plan pro v1")
        #expect(try Self.price(contract([subscription("pro", to: day(5))])) == nil)
        let revoked = contract(
            [subscription("pro")],
            revocations: [
                .init(
                    id: "r",
                    terms: Dated(
                        RevocationTerms(product: .default, start: day(1), reason: "test")))
            ])
        #expect(try Self.price(revoked) == nil)
    }

    @Test func suspensionsOverridesAndGrantsKeepThePrice() throws {
        let suspended = contract(
            [subscription("pro")],
            suspensions: [
                .init(id: "s", terms: Dated(SuspensionTerms(start: day(1), reason: "test")))
            ])
        #expect(try Self.price(suspended)?.source == "plan pro v1")
        let changed = contract(
            [subscription("pro")],
            overrides: [override("ov_1", "tokens", .metered(.init(limit: .finite(7))))],
            grants: [grant("g_1", 50)])
        #expect(try Self.price(changed)?.source == "plan pro v1")
        let alone = contract([subscription("pro")], grants: [grant("g_1", 50)])
        #expect(try Self.price(alone) { $0.plans[0].entitlements["tokens"] = nil } == nil)
    }

    /// Two products give the feature alike: the larger one leads.
    @Test func ofSeveralThePriceOfTheOneThatLeadsCounts() throws {
        let both = contract([subscription("pro"), subscription("extra")])
        for (limit, source) in [(Int64(500), "plan pro v1"), (5_000, "plan extra v1")] {
            let price = try Self.price(both) { catalog in
                catalog.products = [.init(key: "other")]
                var extra = catalog.plans[0]
                extra.key = "extra"
                extra.product = "other"
                if case .metered(var metered) = extra.entitlements["tokens"] {
                    metered.limit = .finite(limit)
                    extra.entitlements["tokens"] = .metered(metered)
                }
                catalog.plans.append(extra)
            }
            #expect(price?.source == source)
        }
    }

    @Test func anotherPriceIsAnotherSegment() throws {
        let catalog = try PriceCatalog.catalog { catalog in
            // The same limits as `pro` in every other respect than the price.
            var next = catalog.plans[0]
            next.version = 2
            catalog.plans[0].version = 1
            catalog.pastPlans = [catalog.plans[0]]
            if case .metered(var metered) = next.entitlements["tokens"] {
                metered.price?.minimum = nil
                next.entitlements["tokens"] = .metered(metered)
            }
            catalog.plans[0] = next
        }
        var held = subscription("pro", version: 1)
        var moved = try #require(held.terms.steps.first?.value)
        moved.planVersion = 2
        held.terms.steps.append(.init(from: day(20), value: moved))
        let snapshot = try CatalogSnapshot.compile(
            catalog, contracts: [contract([held])], revision: 1, hash: testHash,
            zone: { _ in .utc }
        ).get()
        let customer = snapshot.customer(0)
        let feature = try #require(snapshot.definitions.featureNumber("tokens"))
        let prices = try [day(19), day(21)].map { instant in
            let segment = customer.segment(at: instant)
            return segment.price(
                ofQuota: try #require(segment.quotaPosition(ofFeature: feature)))
        }
        #expect(prices.map { $0?.source } == ["plan pro v1", "plan pro v2"])
        #expect(prices.map { $0?.price.minimum?.text } == ["5", nil])
        #expect(customer.segment(at: day(19)).end == day(20))
    }

    // MARK: differences

    @Test func changesOfPricesAreShown() throws {
        let old = try PriceCatalog.catalog()
        var new = old
        new.plans[0].fee = RecurringPrice(amount: try decimal("59"), timing: .arrears)
        if case .metered(var metered) = new.plans[0].entitlements["tokens"] {
            metered.price = UsagePrice(
                model: .graduated([
                    PriceTier(upTo: 10, unit: try decimal("0.10")),
                    PriceTier(upTo: nil, unit: .zero, flat: try decimal("3")),
                ]))
            new.plans[0].entitlements["tokens"] = .metered(metered)
        }
        new.plans[1].entitlements["seats"] = .seats(SeatEntitlement(seats: .unlimited))
        new.addOns[0].currency = Currency("USD")
        new.stripe?.meters["hours"] = nil
        #expect(
            CatalogDiff.lines(from: old, to: new) == [
                "~ plan pro: fee 49 → {amount: 59, timing: arrears}",
                "~ plan pro: tokens price {unit: 0.000002, included: limit, minimum: 5, "
                    + "maximum: 99.5} → {graduated: [{up_to: 10, unit: 0.1}, {unit: 0, flat: 3}]}",
                "~ plan scale: - seats price 10",
                "~ add-on backup: currency EUR → USD",
                "~ stripe: - meter hours run_hours per hour",
            ])
    }

    @Test func aPriceIsContentOfAVersion() throws {
        let plan = try PriceCatalog.catalog().plans[0]
        let digest = CatalogDiff.contentDigest(of: plan)
        var other = plan
        other.fee?.amount = try decimal("49.01")
        #expect(CatalogDiff.contentDigest(of: other) != digest)
        other = plan
        other.currency = Currency("USD")
        #expect(CatalogDiff.contentDigest(of: other) != digest)
        other = plan
        if case .metered(var metered) = other.entitlements["tokens"] {
            metered.price?.rounding = .up
            other.entitlements["tokens"] = .metered(metered)
        }
        #expect(CatalogDiff.contentDigest(of: other) != digest)
        other = plan
        if case .seats(var seats) = other.entitlements["seats"] {
            seats.price?.included = 3
            other.entitlements["seats"] = .seats(seats)
        }
        #expect(CatalogDiff.contentDigest(of: other) != digest)
    }
}
