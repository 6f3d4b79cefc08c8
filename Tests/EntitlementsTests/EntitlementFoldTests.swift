import Entitlements
import MeteringModel
import Testing

@Suite struct EntitlementFoldTests {
    @Test func aPlanGivesWhatItSays() throws {
        let state = state(contract([subscription("pro")]))
        #expect(state.plan == "pro" && state.planVersion == 3)
        let quota = try #require(state.quota("tokens"))
        #expect(quota.customer == "acme" && quota.limit == .finite(1_000))
        #expect(quota.rule.anchor == .subscription(start: day(0)))
        #expect(quota.source == "plan pro v3")
        #expect(state.entitlement("sso")?.value == .boolean(true))
        #expect(state.entitlement("region")?.sources == ["plan pro v3"])
        #expect(state.entitlement("seats") == nil && state.absence == .notEntitled)
    }

    @Test func aPinnedVersionStays() {
        #expect(
            state(contract([subscription("crm_basic", version: 1)])).quota("tokens")?.limit
                == .finite(40))
        #expect(
            state(contract([subscription("crm_basic", version: 2)])).quota("tokens")?.source
                == "plan crm_basic v2")
        #expect(state(contract([subscription("crm_basic", version: 9)])).entitlements.isEmpty)
    }

    @Test func theAnchorOfTheSubscriptionCounts() {
        let own = subscription("pro") { $0.anchor = day(-3) }
        let state = state(contract([own]))
        #expect(state.quota("tokens")?.rule.anchor == .subscription(start: day(-3)))
        #expect(state.subscriptionStart == day(-3))
    }

    @Test func beforeTheStartAndAfterTheEndNothingIsGiven() {
        let own = contract([subscription("pro", from: day(5), to: day(20))])
        let before = state(own, at: day(4))
        #expect(before.entitlements.isEmpty && before.absence == .notEntitled)
        #expect(state(own, at: day(5)).quota("tokens") != nil)
        let after = state(own, at: day(20))
        #expect(after.absence == .expired && after.plan == nil)
        #expect(after.quota("tokens") == nil)
        #expect(after.entitlement("tokens")?.denial == .expired)
        #expect(after.entitlement("tokens")?.source == "plan pro v3 (expired)")
    }

    @Test func aTrialEndsUnlessItConverts() {
        for converts in [true, false] {
            let own = contract([
                subscription("pro") {
                    $0.trialEnd = day(14)
                    $0.trialConverts = converts
                }
            ])
            #expect(state(own, at: day(13)).quota("tokens")?.source == "plan pro v3 (trial)")
            let after = state(own, at: day(14))
            #expect(after.quota("tokens")?.source == (converts ? "plan pro v3" : nil))
            #expect(after.absence == (converts ? .notEntitled : .expired))
        }
    }

    @Test func addOnsAreAddedTimesTheirQuantity() throws {
        let own = contract([
            subscription("free") {
                $0.addOns = [
                    .init(key: "pack", quantity: 2),
                    .init(key: "pack", quantity: 1, start: day(12), end: day(15)),
                ]
            }
        ])
        let quota = try #require(state(own).quota("tokens"))
        #expect(quota.limit == .finite(2_100))
        #expect(quota.source == "plan free v1 + add-on pack × 2")
        #expect(state(own, at: day(12)).quota("tokens")?.limit == .finite(3_100))
        #expect(state(own, at: day(15)).quota("tokens")?.limit == .finite(2_100))
        #expect(state(own).entitlement("export")?.source == "add-on pack × 2")
        let unlimited = contract([subscription("max") { $0.addOns = [.init(key: "pack")] }])
        #expect(state(unlimited).quota("tokens")?.limit == .unlimited)
    }

    @Test func boughtSeatsReplaceThePlans() throws {
        let own = contract([
            subscription("crm_basic") {
                $0.seats = ["seats": .finite(60)]
                $0.addOns = [.init(key: "team")]
            }
        ])
        let seats = try #require(state(own).entitlement("seats"))
        #expect(seats.value == .seats(.init(seats: .finite(70))))
        #expect(seats.sources == ["plan crm_basic v2", "seats bought", "add-on team"])
        #expect(state(own).entitlement("region")?.value == .value("eu-private"))
    }

    @Test func amountsOfOneKindAddUpAndOthersDoNot() throws {
        // The same period and enforcement: 100 + 70.
        let same = state(contract([subscription("free"), subscription("crm_basic")]))
        #expect(same.quota("tokens")?.limit == .finite(170))
        #expect(same.quota("tokens")?.source == "plan crm_basic v2 + plan free v1")
        #expect(same.plan == "crm_basic")
        // A day's 30 beside a month's 170: the larger holds.
        let three = state(
            contract([subscription("free"), subscription("crm_basic"), subscription("mail_day")]))
        #expect(three.quota("tokens")?.limit == .finite(170))
        #expect(three.entitlement("seats")?.value == .seats(.init(seats: .finite(8))))
        #expect(three.entitlement("region")?.value == .value("us"))
        // Off in one plan, on in another.
        let on = state(contract([subscription("mail_day"), subscription("pro")]))
        #expect(on.entitlement("sso")?.value == .boolean(true))
        #expect(on.entitlement("sso")?.product == .default)
    }

    @Test func anOverrideReplacesWhatItNames() throws {
        let own = contract(
            [subscription("pro")],
            overrides: [
                override("ov_1", "tokens", .metered(.init(limit: .finite(5)))),
                override("ov_2", "sso", .boolean(false)),
                override("ov_3", "export", .boolean(true)),
                override("ov_4", "region", .value("ch")),
            ])
        let quota = try #require(state(own).quota("tokens"))
        #expect(quota.limit == .finite(5) && quota.enforcement == .soft)
        #expect(quota.rule.anchor == .subscription(start: day(0)))
        #expect(quota.source == "plan pro v3 + override ov_1")
        #expect(state(own).entitlement("sso")?.value == .boolean(false))
        #expect(state(own).entitlement("sso")?.sources == ["override ov_2"])
        #expect(state(own).entitlement("export")?.value == .boolean(true))
        #expect(state(own).entitlement("region")?.value == .value("ch"))
    }

    @Test func ofSeveralOverridesOneHolds() {
        func limit(_ overrides: [CustomerContract.Held<OverrideTerms>]) -> Limit? {
            state(contract([subscription("pro")], overrides: overrides)).quota("tokens")?.limit
        }
        func one(_ id: String, _ units: Int64, priority: Int = 0, from start: Int64 = 0)
            -> CustomerContract.Held<OverrideTerms>
        {
            override(
                id, "tokens", .metered(.init(limit: .finite(units))), priority: priority,
                from: day(start))
        }
        #expect(limit([one("a", 1), one("b", 2, priority: 1, from: -9)]) == .finite(2))
        #expect(limit([one("a", 1), one("b", 2, from: 3)]) == .finite(2))
        #expect(limit([one("b", 2), one("a", 1)]) == .finite(1))
        #expect(limit([one("a", 1), one("b", 2, from: 11)]) == .finite(1))
    }

    @Test func aDeviationEndsWithWhatItDeviatesFrom() {
        let extra = [
            override("ov_1", "export", .boolean(true)),
            override("ov_2", "tokens", .metered(.init(limit: .unlimited))),
        ]
        let ended = state(
            contract(
                [subscription("pro", to: day(5))], overrides: extra,
                grants: [
                    grant("gr_1", 50)
                ]))
        #expect(ended.entitlement("tokens")?.denial == .expired)
        #expect(ended.entitlement("export") == nil && ended.absence == .expired)
        // Without any subscription they are all there is.
        let alone = state(contract(overrides: extra))
        #expect(alone.entitlement("export")?.value == .boolean(true))
        #expect(alone.quota("tokens")?.limit == .unlimited)
        #expect(alone.quota("tokens")?.rule == PeriodRule(unit: .month, anchor: .calendar))
    }

    @Test func aDeviationWithoutALimitGivesNothing() {
        let own = contract(overrides: [
            override("ov_1", "tokens", .metered(.init(enforcement: .soft)))
        ])
        #expect(state(own).entitlement("tokens") == nil)
    }

    @Test func grantsAttachInTheOrderOfUse() throws {
        let own = contract(
            [subscription("pro")],
            grants: [
                grant("late", 10, to: day(40)), grant("first", 20, priority: -1),
                grant("soon", 30, to: day(20)), grant("gone", 5, to: day(9)),
            ])
        let quota = try #require(state(own).quota("tokens"))
        #expect(quota.grants.map(\.id) == ["first", "soon", "late"])
        #expect(quota.limit == .finite(1_000))
        #expect(quota.source == "plan pro v3 + grant first + grant soon + grant late")
        // Credit alone: nothing but what was granted.
        let alone = state(contract(grants: [grant("gr_1", 10)]))
        #expect(alone.quota("tokens")?.limit == .finite(0))
        #expect(alone.quota("tokens")?.rule.unit == .lifetime)
    }

    @Test func aRevokedProductIsGoneWithItsReason() {
        let revocation = CustomerContract.Held(
            id: "rv_1",
            terms: Dated(
                RevocationTerms(product: "crm", start: day(5), end: day(20), reason: "fraud")))
        let own = contract(
            [subscription("crm_basic"), subscription("free")],
            overrides: [override("ov_1", "seats", .seats(.unlimited))], revocations: [revocation])
        let during = state(own)
        #expect(during.entitlement("seats")?.denial == .notEntitled)
        #expect(during.entitlement("seats")?.source == "revocation rv_1 (fraud)")
        #expect(during.quota("tokens")?.limit == .finite(100))
        #expect(state(own, at: day(20)).quota("tokens")?.limit == .finite(170))
        #expect(state(own, at: day(20)).entitlement("seats")?.denial == nil)
        let only = contract([subscription("crm_basic")], revocations: [revocation])
        #expect(state(only).absence == .notEntitled)
        #expect(state(only).absenceSources == ["revocation rv_1 (fraud)"])
        #expect(state(only).quota("tokens") == nil)
    }

    @Test func aSuspensionDeniesAndCountsOn() {
        let whole = CustomerContract.Held(
            id: "su_1", terms: Dated(SuspensionTerms(start: day(5), reason: "unpaid")))
        let own = contract(
            [subscription("crm_basic"), subscription("free")], suspensions: [whole])
        for entitlement in state(own).entitlements { #expect(entitlement.denial == .suspended) }
        #expect(state(own).absence == .suspended)
        #expect(state(own).absenceSources == ["suspension su_1 (unpaid)"])
        #expect(
            state(own).entitlement("export")?.source
                == "plan crm_basic v2 + suspension su_1 (unpaid)")
        #expect(state(own).quota("tokens")?.limit == .finite(170))
        let part = CustomerContract.Held(
            id: "su_2",
            terms: Dated(SuspensionTerms(product: "crm", start: day(5), reason: "unpaid")))
        let partly = state(
            contract(
                [subscription("crm_basic"), subscription("free")],
                overrides: [override("ov_1", "seats", .seats(.finite(9)))], suspensions: [part]))
        #expect(partly.quota("tokens")?.limit == .finite(100))
        #expect(partly.entitlement("tokens")?.denial == nil)
        #expect(partly.entitlement("seats")?.denial == .suspended)
        #expect(partly.entitlement("seats")?.value == .seats(.init(seats: .finite(9))))
        #expect(partly.absence == .notEntitled)
        let alone = state(contract([subscription("crm_basic")], suspensions: [part]))
        #expect(alone.absence == .suspended && alone.entitlement("tokens")?.denial == .suspended)
    }

    @Test func anAddOnOfASuspendedProductIsDenied() {
        let part = CustomerContract.Held(
            id: "su_2",
            terms: Dated(SuspensionTerms(product: "crm", start: day(5), reason: "unpaid")))
        let own = contract(
            [subscription("free") { $0.addOns = [.init(key: "team")] }], suspensions: [part])
        #expect(state(own, at: day(4)).entitlement("seats")?.denial == nil)
        #expect(state(own).entitlement("seats")?.denial == .suspended)
        #expect(state(own).entitlement("tokens")?.denial == nil)
    }

    @Test func bindingsComeFromThePlanOrTheOverride() {
        let own = contract([subscription("mail_day")])
        #expect(state(own).entitlement("bytes")?.binding == Binding(regions: ["eu"]))
        var bound = override("ov_1", "bytes", .metered(.init(limit: .finite(1))))
        bound.terms = Dated(
            OverrideTerms(
                feature: "bytes", value: .metered(.init(limit: .finite(1))),
                binding: Binding(domains: ["a.example"]), start: day(0), reason: "test"))
        #expect(
            state(contract([subscription("mail_day")], overrides: [bound])).entitlement("bytes")?
                .binding == Binding(domains: ["a.example"]))
    }
}
