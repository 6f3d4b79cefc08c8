import Testing

/// Walks every interleaving of a grower that grows twice with two takers, or with a taker and a reader.
@Suite struct GrowthModelTests {
    @Test(arguments: [1, 2], [false, true])
    func everyInterleavingKeepsEveryUnit(remaining: Int, hasReader: Bool) {
        let (complaints, states) = walk(remaining: remaining, hasReader: hasReader, flaw: nil)
        #expect(complaints == [])
        #expect(states > 1_000)
    }

    /// The model is worth something only if it sees what the protocol is for.
    @Test(arguments: GrowthModel.Flaw.allCases)
    func everyRuleIsNeeded(flaw: GrowthModel.Flaw) {
        let withTakers = walk(remaining: 2, hasReader: false, flaw: flaw).complaints
        let withReader = walk(remaining: 2, hasReader: true, flaw: flaw).complaints
        #expect(!withTakers.union(withReader).isEmpty)
    }

    private func walk(
        remaining: Int, hasReader: Bool, flaw: GrowthModel.Flaw?
    ) -> (complaints: Set<String>, states: Int) {
        let takers = hasReader ? 1 : 2
        let start = GrowthModel(remaining: remaining, takers: takers, hasReader: hasReader)
        var seen: Set<GrowthModel> = [start]
        var open = [start]
        var complaints: Set<String> = []
        while let state = open.popLast() {
            let successors = state.successors(flaw: flaw)
            if successors.isEmpty, let complaint = state.complaint(initially: remaining) {
                complaints.insert(complaint)
            }
            for successor in successors where seen.insert(successor).inserted {
                open.append(successor)
            }
        }
        return (complaints, seen.count)
    }
}
