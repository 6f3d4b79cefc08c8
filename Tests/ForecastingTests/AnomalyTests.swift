import Forecasting
import Testing

@Suite("Anomalies") struct AnomalyTests {
    @Test(
        "what is unlike its history",
        arguments: [
            // Median 100, deviation below a tenth: the unit is 10, so 150 is five of it.
            (150, [100, 100, 100, 100, 100, 100, 100], 5.0, Anomaly.Direction.above),
            (0, [100, 100, 100, 100, 100, 100, 100], 10.0, .below),
            // Median deviation 20, unit 29.652: 400 lies 300 away.
            (400, [60, 80, 80, 100, 120, 120, 140], 300 / 29.652, .above),
            // One wild day of the past does not hide the next.
            (1_000, [100, 100, 100, 100, 100, 100, 5_000], 90, .above),
        ] as [(Double, [Double], Double, Anomaly.Direction)])
    func found(
        _ value: Double, _ history: [Double], _ score: Double, _ direction: Anomaly.Direction
    ) throws {
        let anomaly = try #require(Anomaly.find(value, history: history))
        #expect(abs(anomaly.score - score) < 0.001)
        #expect(anomaly.direction == direction)
        #expect(anomaly.historyCount == history.count)
    }

    @Test(
        "what is not",
        arguments: [
            // Too little history.
            (1_000, [100, 100, 100, 100, 100, 100]),
            // Too small a change, in share and in units.
            (149, [100, 100, 100, 100, 100, 100, 100]),
            (12, [0, 0, 0, 0, 0, 0, 0]),
            // A history that is wild itself.
            (400, [0, 300, 20, 500, 100, 0, 250]),
        ] as [(Double, [Double])])
    func ordinary(_ value: Double, _ history: [Double]) {
        #expect(Anomaly.find(value, history: history) == nil)
    }
}
