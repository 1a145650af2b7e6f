"""The engine without Qt: store, plan, snapshot, scheduler, drivers."""
