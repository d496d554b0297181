//! The engine's settings, in one place for the compiler and the runners.
//!
//! Compiled code loads only into an engine with the same settings, so both sides come through
//! [`settings`]; they differ only in where instances live, which compiled code does not see.

use std::hash::{DefaultHasher, Hash, Hasher};

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// Address space of one linear memory: all that 32 bits can address, so that compiled code needs
/// no bounds checks.
const MEMORY_RESERVATION: u64 = 4 << 30;
/// Guards on both sides of a memory.
const MEMORY_GUARD: u64 = 32 << 20;
/// Linear memory that stays resident in a slot between two instances.
const MEMORY_KEPT: usize = 1 << 20;
/// Table bytes that stay resident in a slot.
const TABLE_KEPT: usize = 64 << 10;
/// Stack bytes that stay resident in a slot.
const STACK_KEPT: usize = 32 << 10;
/// Slots that keep resident memory while nobody uses them.
const WARM_SLOTS: u32 = 32;
/// Core instances, tables and memories of one component: adapters and shims count too.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
const MEMORIES_PER_COMPONENT: u32 = 16;
const TABLES_PER_COMPONENT: u32 = 32;
/// Core instances that a usual component is made of.
const USUAL_CORE_INSTANCES: u32 = 5;
/// Stacks that one instance runs on: with WASI 0.3, calls in progress have one each.
const STACKS_PER_INSTANCE: u32 = 2;
/// Elements of one table; interpreters have tens of thousands of functions.
const TABLE_ELEMENTS: usize = 100_000;

/// Which interfaces the programs of an engine use.
///
/// Asynchronous functions of components cost every call of every instance, so that programs that
/// have none get an engine without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// WASI 0.1 modules and WASI 0.2 components.
    Two,
    /// WASI 0.3 components, which may use interfaces of 0.2 as well.
    Three,
}

/// Where an engine is used.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Compiles and runs nothing.
    Compiler,
    /// Runs up to so many instances at once.
    Runner {
        /// Instances alive at once.
        instances: u32,
    },
}

/// Makes an engine for programs of one level.
///
/// # Errors
/// If the kernel refuses the pool's address space.
pub(crate) fn engine(level: Level, role: Role) -> wasmtime::Result<Engine> {
    match role {
        Role::Compiler => Engine::new(&settings(level)),
        Role::Runner { instances } => {
            // The scan needs Linux 6.7; without it a pool works too, only slower.
            runner(level, instances, Enabled::Yes)
                .or_else(|_unsupported| runner(level, instances, Enabled::No))
        }
    }
}

fn runner(level: Level, instances: u32, scan: Enabled) -> wasmtime::Result<Engine> {
    let mut settings = settings(level);
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances, scan)));
    Engine::new(&settings)
}

fn settings(level: Level) -> Config {
    let asynchronous = level == Level::Three;
    let mut settings = Config::new();
    settings
        .concurrency_support(asynchronous)
        .wasm_component_model_async(asynchronous)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(MEMORY_GUARD)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .cranelift_opt_level(OptLevel::Speed);
    settings
}

fn pool(instances: u32, scan: Enabled) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(USUAL_CORE_INSTANCES))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances.saturating_mul(STACKS_PER_INSTANCE))
        .total_gc_heaps(instances.min(64))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(MEMORY_RESERVATION).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(MEMORY_KEPT)
        .table_keep_resident(TABLE_KEPT)
        .async_stack_keep_resident(STACK_KEPT)
        .max_unused_warm_slots(WARM_SLOTS)
        .pagemap_scan(scan);
    pool
}

/// Names the settings that compiled code depends on: the second half of the cache's key.
pub(crate) fn fingerprint<const N: usize>(engines: [&Engine; N]) -> String {
    let mut hasher = DefaultHasher::new();
    for engine in engines {
        engine.precompile_compatibility_hash().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_and_runner_agree_on_what_code_depends_on() {
        for level in [Level::Two, Level::Three] {
            let compiler = engine(level, Role::Compiler).unwrap();
            let runner = engine(level, Role::Runner { instances: 64 }).unwrap();
            assert_eq!(fingerprint([&compiler]), fingerprint([&runner]), "{level:?}");
        }
    }

    #[test]
    fn two_thousand_instances_find_address_space() {
        let _both = [Level::Two, Level::Three]
            .map(|level| engine(level, Role::Runner { instances: 4096 }).unwrap());
    }
}
