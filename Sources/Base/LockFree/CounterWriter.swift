/// What only the one writer of a `CounterTable` knows; lives in its mutex.
struct CounterWriter: ~Copyable {
    private static let smallestLogarithm = 7
    private static let largestMinimumCapacity = 1 << 36

    private(set) var memory: CellMemory
    /// Cells with a key, removed ones too.
    var takenCells = 0
    private var retired: [CellMemory] = []

    init(minimumCapacity: Int) {
        let wanted = Swift.min(Swift.max(minimumCapacity, 1), Self.largestMinimumCapacity)
        var logarithm = Self.smallestLogarithm
        while Self.fillLimit(1 << logarithm) < wanted { logarithm += 1 }
        memory = CellMemory(capacityLogarithm: logarithm)
    }

    var generation: Generation { memory.generation }

    /// Whether the next new key needs a new generation.
    var isFull: Bool { takenCells >= Self.fillLimit(generation.capacity) }

    /// Memory for the next generation: twice the size, unless removed counters take half of it all.
    func memoryForGrowth(liveCount: Int) -> CellMemory {
        let logarithm = Int(generation.capacityLogarithm)
        let isCrowded = liveCount >= Self.fillLimit(generation.capacity) / 2
        return CellMemory(capacityLogarithm: isCrowded ? logarithm + 1 : logarithm)
    }

    /// Goes on with `memory`, and gives the pages of the one before back to the system.
    mutating func retire(for memory: CellMemory, takenCells: Int) {
        self.memory.vacate()
        retired.append(self.memory)
        self.memory = memory
        self.takenCells = takenCells
    }

    mutating func unmapAll() {
        for memory in retired { memory.unmap() }
        retired = []
        memory.unmap()
    }

    /// Three quarters: a hit takes 2.5 probes on average at the limit, and 10 M counters fit in
    /// 2^24 cells, 54 bytes each.
    private static func fillLimit(_ capacity: Int) -> Int { capacity / 4 * 3 }
}
