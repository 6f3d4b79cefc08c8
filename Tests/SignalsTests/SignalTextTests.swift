import MeteringModel
import MeteringPorts
import Testing

@testable import Signals

@Suite("Words of signals") struct SignalTextTests {
    @Test(
        "quantities",
        arguments: [
            (0, 0, "0"), (999, 0, "999"), (1_000, 0, "1,000"), (-1_234_567, 0, "-1,234,567"),
            (123_456, 2, "1,234.56"), (.min, 0, "-9,223,372,036,854,775,808"),
        ] as [(Int64, Int, String)])
    func quantities(_ units: Int64, _ scale: Int, _ text: String) {
        #expect(SignalText.quantity(units, scale: scale) == text)
    }

    @Test(
        "shares",
        arguments: [
            (8_123, "81.2 %"), (8_000, "80 %"), (10_000, "100 %"), (4, "0 %"), (5, "0.1 %"),
            // As the near-limit list shows the same numbers (ClientTests).
            (16_515, "165.2 %"), (16_514, "165.1 %"), (7_996, "79.9 %"), (9_999, "99.9 %"),
            (.max, "92233720368547758 %"),
        ] as [(Int64, String)])
    func shares(_ basisPoints: Int64, _ text: String) {
        #expect(SignalText.percent(basisPoints: basisPoints) == text)
    }

    @Test("ids are made of letters, digits and hyphens, and no part can pose as two") func ids() {
        let at = Timestamp(seconds: 0)
        let id = SignalID.make(.nearLimit, "acme", "tokens", at)
        #expect(id.hasPrefix("near-limit-"))
        #expect(
            id.utf8.allSatisfy {
                $0 == 0x2D || (0x30...0x39).contains($0) || (0x61...0x7A).contains($0)
            })
        let others = [
            SignalID.make(.nearLimit, "acmet", "okens", at),
            SignalID.make(.nearLimit, "acme", nil, at),
            SignalID.make(.nearLimit, "acme", "", at), SignalID.make(.upsell, "acme", "tokens", at),
            SignalID.make(.nearLimit, "acme", "tokens", Timestamp(seconds: 1)),
        ]
        #expect(Set(others + [id]).count == 6)
    }
}
