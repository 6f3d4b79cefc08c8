import Glibc

/// Zeroed memory for one generation, from the system and not from the heap, for three reasons: cells
/// can stand on cache lines and huge pages (10 M random keys miss the TLB otherwise), fresh memory
/// costs nothing before it is touched, and a retired generation's pages can be given back while late
/// operations may still look at its addresses: they read zeros there, which means "look again".
struct CellMemory {
    private static let hugePageByteCount = 1 << 21

    /// Of the first cell: page-aligned, and 2 MiB-aligned where the cells fill a huge page.
    let address: UInt
    let byteCount: Int
    let capacityLogarithm: Int
    private let mappingAddress: UInt
    private let mappingByteCount: Int

    /// Traps when the system has no address space left, as any Swift allocation does.
    init(capacityLogarithm: Int) {
        self.capacityLogarithm = capacityLogarithm
        byteCount = Swift.max(Int(Cell.byteCount) << capacityLogarithm, 4096)
        let isHuge = byteCount >= Self.hugePageByteCount
        mappingByteCount = byteCount + (isHuge ? Self.hugePageByteCount : 0)
        // SAFETY: an anonymous mapping at an address of the system's choice touches nothing else.
        let mapping = unsafe mmap(
            nil, mappingByteCount, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        mappingAddress = UInt(bitPattern: mapping)
        // The system answers failure with the address −1; no mapping can start there.
        precondition(mappingAddress != .max && mappingAddress != 0, "no memory for counters")
        guard isHuge else {
            address = mappingAddress
            return
        }
        let mask = UInt(Self.hugePageByteCount - 1)
        address = (mappingAddress + mask) & ~mask
        advise(MADV_HUGEPAGE)
    }

    /// Gives the pages back; from then on they read as zeros. The addresses stay reserved.
    func vacate() {
        // Without huge pages first: a late operation may touch one cell, and must not bring in 2 MiB.
        advise(MADV_NOHUGEPAGE)
        advise(MADV_DONTNEED)
    }

    /// Ends the mapping. No operation may be under way: the table's deinit is the only caller.
    func unmap() {
        // SAFETY: exactly the range that `init` mapped.
        unsafe munmap(UnsafeMutableRawPointer(bitPattern: mappingAddress), mappingByteCount)
    }

    private func advise(_ advice: Int32) {
        // Advice that the kernel refuses costs speed or memory, never correctness.
        // SAFETY: the range lies inside the mapping.
        _ = unsafe madvise(UnsafeMutableRawPointer(bitPattern: address), byteCount, advice)
    }
}
