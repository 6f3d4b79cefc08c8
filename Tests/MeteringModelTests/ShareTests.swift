import MeteringModel
import Testing

@Suite("Shares of a limit")
struct ShareTests {
    @Test(
        arguments: [
            (1_651, 1_000, 16_510), (165_159, 100_000, 16_515), (9_999, 10_000, 9_999),
            (1, 3, 3_333), (0, 10, 0), (-5, 10, 0), (5, 0, 0), (5, -1, 0), (.max, .max, 10_000),
            (.max, .max - 1, 10_000), (.max - 1, .max, 9_999), (.max, 10_000, .max),
            (.max, 10_001, 9_222_449_791_875_588_248), (.max, 1, .max), (5, 1, 50_000),
        ] as [(Int64, Int64, Int64)])
    func sharesAreExactAndCutOff(used: Int64, limit: Int64, share: Int64) {
        #expect(used.share(of: limit) == share)
    }

    @Test(arguments: [1, 3, 7, 10_000, 12_345_678_901, .max / 3, .max] as [Int64])
    func aShareReachesAThresholdWhenUsageDoes(limit: Int64) throws {
        for basisPoints in [1, 3_333, 8_000, 9_950, 10_000] as [Int64] {
            let threshold = Threshold.share(basisPoints: basisPoints)
            let level = try #require(threshold.level(of: .finite(limit)))
            #expect(level.share(of: limit) >= basisPoints)
            #expect((level - 1).share(of: limit) < basisPoints)
        }
    }

    @Test(
        arguments: [
            // Half up.
            (16_514, 1_651), (16_515, 1_652), (8_123, 812), (4, 0), (5, 1), (0, 0),
            // Not up to a whole percent.
            (9_995, 999), (9_999, 999), (10_000, 1_000), (7_996, 799), (8_000, 800),
            (16_597, 1_659), (16_594, 1_659), (.max, .max / 10),
        ] as [(Int64, Int64)])
    func tenths(basisPoints: Int64, tenths: Int64) {
        #expect(ShareText.tenths(basisPoints: basisPoints) == tenths)
    }

    @Test func thresholdsBetweenWholePercentsAreNotClaimedEither() {
        let thresholds: [Int64] = [8_000, 9_950, 9_958]
        let tenths = { (share: Int64) in
            ShareText.tenths(basisPoints: share, thresholds: thresholds)
        }
        #expect(tenths(9_946) == 994)
        #expect(tenths(9_950) == 995)
        #expect(tenths(9_957) == 995)
        #expect(tenths(9_958) == 996)
        #expect(tenths(9_936) == 994)
    }
}
