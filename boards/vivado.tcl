# SPDX-License-Identifier: Apache-2.0
# Builds the PYNQ-Z2 bitstream of one design: vivado -mode batch -source build.tcl
# The facts of the design are in settings.tcl. Written after the manuals; never run in Vivado.

set here [file dirname [file normalize [info script]]]
source [file join $here settings.tcl]
set out [file join $here out]
file mkdir $out

# 1. The Verilog becomes an IP; Vivado writes its component.xml.
create_project -force -part $part package [file join $out package]
add_files -norecurse [file join $here $top.v]
set_property top $top [current_fileset]
update_compile_order -fileset sources_1
lassign [split $core_vlnv :] core_vendor core_library core_kind core_version
ipx::package_project -root_dir [file join $out ip] -vendor $core_vendor -library $core_library \
    -taxonomy /UserIP -import_files -force
set ip [ipx::current_core]
set_property -dict [list name $core_kind version $core_version display_name Spikewright] $ip

# Vivado infers the buses from the names of the ports; it is told what it did not find.
foreach {bus type} {s_axi aximm s_axis axis m_axis axis} {
    if {[llength [ipx::get_bus_interfaces $bus -of_objects $ip]] == 0} {
        ipx::infer_bus_interfaces xilinx.com:interface:${type}_rtl:1.0 $ip
    }
    ipx::associate_bus_interfaces -busif $bus -clock aclk $ip
}

# The registers reach the .hwh, and from there pynq's register_map.
set map [ipx::get_memory_maps s_axi -of_objects $ip]
if {[llength $map] == 0} {
    set map [ipx::add_memory_map s_axi $ip]
    set_property slave_memory_map_ref s_axi [ipx::get_bus_interfaces s_axi -of_objects $ip]
}
set block [lindex [ipx::get_address_blocks -of_objects $map] 0]
if {$block eq ""} {
    set block [ipx::add_address_block reg0 $map]
    set_property range 4096 $block
    set_property width 32 $block
}
set_property usage register $block
foreach {title offset access description fields} $registers {
    set register [ipx::add_register $title $block]
    set_property address_offset $offset $register
    set_property size 32 $register
    set_property access $access $register
    set_property description $description $register
    foreach {field bit width} $fields {
        set part_of [ipx::add_field $field $register]
        set_property bit_offset $bit $part_of
        set_property bit_width $width $part_of
        set_property access $access $part_of
    }
}
ipx::create_xgui_files $ip
ipx::update_checksums $ip
ipx::check_integrity $ip
ipx::save_core $ip
close_project

# 2. Around it: processing system, DMA, two interconnects.
create_project -force -part $part $name [file join $out project]
set board [lindex [get_board_parts -quiet $board_part] end]
if {$board ne ""} { set_property board_part $board [current_project] }
set_property ip_repo_paths [file join $out ip] [current_project]
update_ip_catalog -rebuild
create_bd_design $name
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 processing_system7_0]
set automation {make_external "FIXED_IO, DDR" Master Disable Slave Disable}
if {$board ne ""} { lappend automation apply_board_preset 1 }
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config $automation $ps
if {$board eq ""} {
    # Without Vivado's files of the board. Linux is running when pynq loads the design, so memory
    # and pins are set up already, and only what the fabric sees counts. The crystal has 50 MHz.
    set_property CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ {50.000000} $ps
}
set_property -dict [list CONFIG.PCW_USE_M_AXI_GP0 {1} CONFIG.PCW_USE_S_AXI_HP0 {1} \
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH {64} CONFIG.PCW_FPGA_FCLK0_ENABLE {1} \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $fclk_mhz CONFIG.PCW_USE_FABRIC_INTERRUPT {0}] $ps
set dma [create_bd_cell -type ip -vlnv $dma_vlnv $dma_name]
set_property -dict $dma_config $dma
create_bd_cell -type ip -vlnv $core_vlnv $core_name
set gp [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_interconnect axi_interconnect_gp0]
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {2}] $gp
set hp [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_interconnect axi_interconnect_hp0]
set_property -dict [list CONFIG.NUM_SI {2} CONFIG.NUM_MI {1}] $hp
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset_0

foreach {from to} [list \
    processing_system7_0/M_AXI_GP0  axi_interconnect_gp0/S00_AXI \
    axi_interconnect_gp0/M00_AXI    $core_name/s_axi \
    axi_interconnect_gp0/M01_AXI    $dma_name/S_AXI_LITE \
    $dma_name/M_AXI_MM2S            axi_interconnect_hp0/S00_AXI \
    $dma_name/M_AXI_S2MM            axi_interconnect_hp0/S01_AXI \
    axi_interconnect_hp0/M00_AXI    processing_system7_0/S_AXI_HP0 \
    $dma_name/M_AXIS_MM2S           $core_name/s_axis \
    $core_name/m_axis               $dma_name/S_AXIS_S2MM] {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
connect_bd_net [get_bd_pins processing_system7_0/FCLK_CLK0] \
    [get_bd_pins reset_0/slowest_sync_clk] [get_bd_pins $core_name/aclk] \
    [get_bd_pins processing_system7_0/M_AXI_GP0_ACLK] \
    [get_bd_pins processing_system7_0/S_AXI_HP0_ACLK] \
    [get_bd_pins $dma_name/s_axi_lite_aclk] [get_bd_pins $dma_name/m_axi_mm2s_aclk] \
    [get_bd_pins $dma_name/m_axi_s2mm_aclk] \
    [get_bd_pins axi_interconnect_gp0/*ACLK] [get_bd_pins axi_interconnect_hp0/*ACLK]
connect_bd_net [get_bd_pins processing_system7_0/FCLK_RESET0_N] \
    [get_bd_pins reset_0/ext_reset_in]
connect_bd_net [get_bd_pins reset_0/interconnect_aresetn] \
    [get_bd_pins axi_interconnect_gp0/ARESETN] [get_bd_pins axi_interconnect_hp0/ARESETN]
connect_bd_net [get_bd_pins reset_0/peripheral_aresetn] [get_bd_pins $core_name/aresetn] \
    [get_bd_pins $dma_name/axi_resetn] [get_bd_pins axi_interconnect_gp0/*_ARESETN] \
    [get_bd_pins axi_interconnect_hp0/*_ARESETN]
assign_bd_address -offset $core_address -range $address_range \
    [get_bd_addr_segs $core_name/s_axi/*]
assign_bd_address -offset $dma_address -range $address_range \
    [get_bd_addr_segs $dma_name/S_AXI_LITE/Reg]
assign_bd_address
validate_bd_design
save_bd_design
set design [get_files $name.bd]
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
set_property top ${name}_wrapper [current_fileset]
update_compile_order -fileset sources_1

# 3. Place, route, check the timing, collect.
launch_runs impl_1 -to_step write_bitstream -jobs $jobs
wait_on_run impl_1
set run [file join $out project $name.runs impl_1]
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    error "Implementation failed: see [file join $run runme.log]"
}
open_run impl_1
report_utilization -hierarchical -file [file join $out utilization.rpt]
report_timing_summary -file [file join $out timing.rpt]
foreach {kind type} {setup max hold min} {
    set slack [get_property SLACK [lindex [get_timing_paths -delay_type $type] 0]]
    if {$slack < 0} { error "Timing is not met: worst $kind slack $slack ns, see timing.rpt" }
}
set handoff ""
foreach kind {gen srcs} {
    set file [file join $out project $name.$kind sources_1 bd $name hw_handoff $name.hwh]
    if {[file exists $file]} { set handoff $file; break }
}
if {$handoff eq ""} { error "Vivado wrote no .hwh: see its messages above" }
file copy -force $handoff [file join $out $name.hwh]
file copy -force [file join $run ${name}_wrapper.bit] [file join $out $name.bit]
