import Entitlements
import MeteringModel
import Testing

/// Rules that hold for any contract; each seed makes other ones.
@Suite struct FoldPropertyTests {
    /// Instants that records begin and end at, and some between.
    private static func instants(_ maker: inout RandomContracts) -> [Timestamp] {
        [.distantPast, day(-1), day(200), Timestamp(seconds: Timestamp.distantFuture.seconds - 1)]
            + (0..<12).flatMap { _ in
                let instant = maker.instant()
                return [instant, instant.adding(seconds: -1), instant.adding(seconds: 3_601)]
            }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func theOrderOfRecordsDoesNotMatter(seed: UInt64) {
        var maker = RandomContracts(seed: seed)
        for _ in 0..<10 {
            let contract = maker.contract("acme")
            var shuffled = contract
            shuffled.subscriptions.shuffle(using: &maker.random)
            shuffled.overrides.shuffle(using: &maker.random)
            shuffled.grants.shuffle(using: &maker.random)
            shuffled.suspensions.shuffle(using: &maker.random)
            shuffled.revocations.shuffle(using: &maker.random)
            for instant in Self.instants(&maker) {
                let one = EntitlementFold.effective(contract, at: instant, shopDefinitions)
                let other = EntitlementFold.effective(shuffled, at: instant, shopDefinitions)
                #expect(text(one) == text(other))
            }
        }
    }

    @Test(arguments: 100..<140 as Range<UInt64>)
    func theTimelineSaysWhatTheFoldSays(seed: UInt64) {
        var maker = RandomContracts(seed: seed)
        for _ in 0..<10 {
            let contract = maker.contract("acme")
            let timeline = CustomerTimeline(contract, shopDefinitions)
            #expect(timeline.pieces[0].start == .distantPast)
            for (one, next) in zip(timeline.pieces, timeline.pieces.dropFirst()) {
                #expect(one.start < next.start)
            }
            for instant in Self.instants(&maker) {
                let folded = EntitlementFold.effective(contract, at: instant, shopDefinitions)
                #expect(text(timeline.state(at: instant)) == text(folded))
            }
        }
    }

    /// Unlimited must be written somewhere; no number, no absence and no mistake stands for it.
    @Test(arguments: 200..<240 as Range<UInt64>)
    func nothingBecomesUnlimitedByItself(seed: UInt64) {
        var maker = RandomContracts(seed: seed)
        maker.allowsUnlimited = false
        for _ in 0..<10 {
            var contract = maker.contract("acme")
            if maker.chance(30) { Self.spoil(&contract, &maker) }
            for instant in Self.instants(&maker) {
                let state = EntitlementFold.effective(contract, at: instant, shopDefinitions)
                for entitlement in state.entitlements {
                    if case .seats(let seats) = entitlement.value {
                        #expect(seats.seats != .unlimited)
                    }
                    guard case .metered(let quota, _) = entitlement.value else { continue }
                    #expect(quota.limit != .unlimited)
                    #expect(quota.limit.finite ?? .max < 10_000_000)
                }
            }
        }
    }

    /// What a check would refuse, but a fold may meet.
    private static func spoil(_ contract: inout CustomerContract, _ maker: inout RandomContracts) {
        func held(_ terms: OverrideTerms) -> CustomerContract.Held<OverrideTerms> {
            .init(id: "odd_\(contract.overrides.count)", terms: Dated(terms))
        }
        let values: [OverrideTerms.Value] = [
            .metered(.init()), .metered(.init(limit: .finite(-1))),
            .metered(.init(limit: .finite(0))),
            .boolean(true), .value(""), .seats(.finite(-1)),
        ]
        for feature: FeatureKey in ["tokens", "seats", "nothing", "bytes"] {
            contract.overrides.append(
                held(
                    OverrideTerms(
                        feature: feature, value: maker.pick(values), start: day(0), reason: "")))
        }
        for index in contract.subscriptions.indices where maker.chance(50) {
            for step in contract.subscriptions[index].terms.steps.indices {
                contract.subscriptions[index].terms.steps[step].value?.planVersion = -1
            }
        }
    }

    /// More never gives less: a further add-on or grant leaves every limit at least as high.
    @Test(arguments: 300..<320 as Range<UInt64>)
    func anAddOnNeverTakesAway(seed: UInt64) {
        var maker = RandomContracts(seed: seed)
        for _ in 0..<10 {
            let contract = maker.contract("acme")
            var more = contract
            for index in more.subscriptions.indices {
                for step in more.subscriptions[index].terms.steps.indices {
                    more.subscriptions[index].terms.steps[step].value?.addOns.append(
                        .init(key: "pack"))
                }
            }
            for instant in Self.instants(&maker) {
                let before = EntitlementFold.effective(contract, at: instant, shopDefinitions)
                let after = EntitlementFold.effective(more, at: instant, shopDefinitions)
                guard let least = before.quota("tokens")?.limit else { continue }
                let most = after.quota("tokens")?.limit
                #expect(most == .unlimited || (most?.finite ?? -1) >= (least.finite ?? .max))
            }
        }
    }
}
