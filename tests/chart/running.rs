//! The chart at work: real controllers make the Pods, the nodelet (`tests/support/nodelet`, which says what it does not imitate) runs the
//! operator as their container, under the chart's own `ServiceAccount`, with its probes, its Secret and its arguments.

mod ending;
mod leaving;
mod life;
mod look;
mod pages;
mod planning;
mod trouble;
mod upgrading;
mod waiting;
mod world;
